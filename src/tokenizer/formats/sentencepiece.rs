//! SentencePiece `.model` files (protobuf): pieces with scores, and how the text is normalised.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use prost::Message;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;

use crate::error::{Error, Result};
use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::charsmap::CharsMap;
use crate::tokenizer::formats::merges;

/// What a piece is for. Numbers are those of `sentencepiece_model.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum PieceKind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Byte = 6,
    Unused = 5,
}

/// One entry of the vocabulary; its id is its position.
#[derive(Clone, PartialEq, Message)]
pub struct SentencePiece {
    #[prost(string, optional, tag = "1")]
    pub piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub score: Option<f32>,
    #[prost(enumeration = "PieceKind", optional, tag = "3")]
    pub r#type: Option<i32>,
}

/// The training parameters that matter for use.
#[derive(Clone, PartialEq, Message)]
pub struct TrainerSpec {
    /// 1 Unigram, 2 BPE, 3 word, 4 character.
    #[prost(int32, optional, tag = "3")]
    pub model_type: Option<i32>,
    #[prost(bool, optional, tag = "35")]
    pub byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "40")]
    pub unk_id: Option<i32>,
    #[prost(int32, optional, tag = "41", default = "1")]
    pub bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42", default = "2")]
    pub eos_id: Option<i32>,
    #[prost(string, optional, tag = "45", default = "<unk>")]
    pub unk_piece: Option<String>,
    #[prost(string, optional, tag = "46", default = "<s>")]
    pub bos_piece: Option<String>,
    #[prost(string, optional, tag = "47", default = "</s>")]
    pub eos_piece: Option<String>,
    /// What an unknown piece becomes in a decoded text.
    #[prost(string, optional, tag = "44")]
    pub unk_surface: Option<String>,
}

/// How a text is changed before it is cut.
#[derive(Clone, PartialEq, Message)]
pub struct NormalizerSpec {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3", default = "true")]
    pub add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4", default = "true")]
    pub remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5", default = "true")]
    pub escape_whitespaces: Option<bool>,
}

/// A whole model file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pub pieces: Vec<SentencePiece>,
    #[prost(message, optional, tag = "2")]
    pub trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    pub normalizer_spec: Option<NormalizerSpec>,
}

impl ModelProto {
    /// The model of a file of a tokenizer, with the path that messages about it show.
    pub fn open(files: &FileSet, file: &str) -> Result<(Self, PathBuf)> {
        let path = files.path_of(file);
        Ok((Self::read(&files.require(file)?, &path)?, path))
    }

    /// Reads a model file.
    pub fn read(bytes: &[u8], path: &Path) -> Result<Self> {
        let model = Self::decode(bytes)
            .map_err(|e| Error::format(path, format!("not a SentencePiece model ({e})")))?;
        if model.pieces.is_empty() {
            return Err(Error::format(path, "the model holds no pieces"));
        }
        Ok(model)
    }

    /// True for a BPE model, false for Unigram.
    pub fn is_bpe(&self) -> bool {
        self.trainer_spec.as_ref().and_then(|t| t.model_type) == Some(2)
    }

    /// Pieces with their scores, by id.
    pub fn scored_pieces(&self) -> Vec<(String, f32)> {
        self.entries().map(|(text, _, score, _)| (text.to_string(), score)).collect()
    }

    /// The id that the training parameters give the unknown piece.
    pub fn unk_id(&self) -> usize {
        let id = self.trainer_spec.as_ref().and_then(|t| t.unk_id);
        id.and_then(|id| usize::try_from(id).ok()).unwrap_or(0)
    }

    /// The compiled normalisation rules, as `tokenizer.json` writes them; `None` for a model without any.
    ///
    /// # Errors
    /// Rules that point outside themselves.
    pub fn charsmap_normalizer(&self, path: &Path) -> Result<Option<serde_json::Value>> {
        let spec = self.normalizer_spec.as_ref();
        let Some(rules) = spec.and_then(|s| s.precompiled_charsmap.as_ref()).filter(|r| !r.is_empty()) else {
            return Ok(None);
        };
        charsmap_json(rules, path).map(Some)
    }

    /// Pieces as (text, id, score, kind).
    pub fn entries(&self) -> impl Iterator<Item = (&str, TokenId, f32, PieceKind)> {
        self.pieces.iter().zip(0..).map(|(p, id)| {
            let kind = PieceKind::try_from(p.r#type.unwrap_or(1)).unwrap_or(PieceKind::Normal);
            (p.piece(), id, p.score(), kind)
        })
    }
}

/// In which order pairs that make a piece become merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeOrder {
    /// Best score first (transformers 4.x).
    Score,
    /// In the order of ids, then the shorter left part first (transformers 5.x).
    Id,
}

/// Compiled normalisation rules as `tokenizer.json` writes them.
///
/// # Errors
/// Rules that point outside themselves.
pub fn charsmap_json(rules: &[u8], path: &Path) -> Result<serde_json::Value> {
    if !CharsMap::read(rules, path)?.is_usable() {
        return Err(Error::format(path, "the normalisation rules are broken"));
    }
    let rules = base64::engine::general_purpose::STANDARD.encode(rules);
    Ok(serde_json::json!({"type": "Precompiled", "precompiled_charsmap": rules}))
}

/// Every way to make every piece from two others, as the converters of transformers list them.
///
/// # Errors
/// More merges than any vocabulary has: pieces of which each holds all shorter ones make a cubic number.
pub fn generate_merges(pieces: &[(String, f32)], order: MergeOrder, path: &Path) -> Result<Merges> {
    let broken = |message: String| Error::format(path, message);
    merges::check_cuts(pieces.iter().map(|(piece, _)| piece.len())).map_err(broken)?;
    let ids: HashMap<&str, usize> = pieces.iter().enumerate().map(|(i, (t, _))| (t.as_str(), i)).collect();
    let mut found: Vec<(usize, f32, &str, &str)> = Vec::new();
    for (at, (piece, score)) in pieces.iter().enumerate() {
        let splits = piece.char_indices().skip(1).filter_map(|(i, _)| piece.split_at_checked(i));
        let known = |(left, right): (&str, &str)| Some((*ids.get(left)?, *ids.get(right)?));
        let mut local: Vec<(&str, &str)> = splits.filter(|pair| known(*pair).is_some()).collect();
        local.sort_by_key(|pair| known(*pair));
        found.extend(local.into_iter().map(|(l, r)| (at, *score, l, r)));
        merges::check_count(found.len()).map_err(broken)?;
    }
    match order {
        MergeOrder::Score => found.sort_by(|a, b| b.1.total_cmp(&a.1)),
        MergeOrder::Id => found.sort_by_key(|(at, _, l, r)| (*at, l.chars().count(), r.chars().count())),
    }
    Ok(found.into_iter().map(|(_, _, l, r)| (l.to_string(), r.to_string())).collect())
}

/// A Unigram model over pieces with their scores.
pub fn build_unigram(
    pieces: Vec<(String, f32)>,
    unk: Option<usize>,
    byte_fallback: bool,
    path: &Path,
) -> Result<Unigram> {
    let pieces = pieces.into_iter().map(|(text, score)| (text, f64::from(score))).collect();
    Unigram::from(pieces, unk, byte_fallback)
        .map_err(|e| Error::format(path, format!("the pieces do not make a Unigram model: {e}")))
}

/// A BPE over pieces and merges, as the converters build it.
pub fn build_bpe(pieces: &[(String, f32)], order: MergeOrder, path: &Path) -> Result<BPE> {
    let vocabulary: Vocab = pieces.iter().zip(0..).map(|((text, _), id)| (text.clone(), id)).collect();
    merges::builder(vocabulary, generate_merges(pieces, order, path)?, None)
        .map_err(|message| Error::format(path, message))?
        .fuse_unk(true)
        .byte_fallback(true)
        .build()
        .map_err(|e| Error::format(path, format!("the pieces do not make a BPE: {e}")))
}
