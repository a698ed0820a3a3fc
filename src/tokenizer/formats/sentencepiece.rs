//! SentencePiece `.model` files (protobuf): pieces with scores, and how the text is normalised.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::error::{Error, Result};
use crate::tokenizer::encoding::TokenId;

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

    /// Pieces as (text, id, score, kind).
    pub fn entries(&self) -> impl Iterator<Item = (&str, TokenId, f32, PieceKind)> {
        self.pieces.iter().zip(0..).map(|(p, id)| {
            let kind = PieceKind::try_from(p.r#type.unwrap_or(1)).unwrap_or(PieceKind::Normal);
            (p.piece(), id, p.score(), kind)
        })
    }
}

/// The BPE of a model file: a pair merges when its concatenation is a piece, best score first.
///
/// Control, unknown and byte pieces never come out of a merge, as in the library itself.
pub fn build_bpe(model: &ModelProto, path: &Path) -> Result<BPE> {
    let unk =
        model.entries().find(|(_, _, _, kind)| *kind == PieceKind::Unknown).map(|(t, ..)| t.to_string());
    let vocabulary: Vocab = model.entries().map(|(text, id, ..)| (text.to_string(), id)).collect();
    let byte_fallback = model.trainer_spec.as_ref().is_some_and(|t| t.byte_fallback());
    let mut builder = BPE::builder()
        .vocab_and_merges(vocabulary, merges(model))
        .fuse_unk(true)
        .byte_fallback(byte_fallback);
    if let Some(unk) = unk {
        builder = builder.unk_token(unk);
    }
    builder.build().map_err(|e| Error::format(path, format!("the pieces do not make a BPE: {e}")))
}

fn merges(model: &ModelProto) -> Merges {
    let mergeable = |kind| matches!(kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
    let scores: HashMap<&str, (f32, TokenId)> = model
        .entries()
        .filter(|(.., kind)| mergeable(*kind))
        .map(|(text, id, score, _)| (text, (score, id)))
        .collect();
    let mut found: Vec<(f32, TokenId, TokenId, &str, &str)> = Vec::new();
    for (text, _, score, kind) in model.entries() {
        if !mergeable(kind) {
            continue;
        }
        for (at, _) in text.char_indices().skip(1) {
            let Some((left, right)) = text.split_at_checked(at) else { continue };
            if let (Some((_, l)), Some((_, r))) = (scores.get(left), scores.get(right)) {
                found.push((score, *l, *r, left, right));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    found.into_iter().map(|(_, _, _, l, r)| (l.to_string(), r.to_string())).collect()
}
