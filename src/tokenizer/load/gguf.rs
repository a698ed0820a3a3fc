//! A tokenizer from a GGUF header: the kinds llama (SentencePiece BPE), gpt2 (byte-level BPE), gemma4 (BPE over plain
//! text), bert (WordPiece) and t5 (Unigram).
//!
//! Checked against llama.cpp's own vectors by `tests/scripts/llama_cpp_vectors.py`.

use std::path::Path;

use serde_json::{Value, json};
use tokenizers::AddedToken;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::unigram::Unigram;

use super::classless_format::ClasslessFormat;
use crate::error::{Error, Result};
use crate::tokenizer::core::{AddedTokenWithId, CoreParts};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::gguf::{self, GgufMetadata};
use crate::tokenizer::formats::gguf_split;
use crate::tokenizer::formats::merges::builder;
use crate::tokenizer::formats::sentencepiece::{MergeOrder, build_bpe, charsmap_json};
use crate::tokenizer::formats::word_piece;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{
    byte_level_step, llama_decoder, metaspace, part, prepended_space, sequence, set_bert, set_byte_level,
    set_qwen2, split, visible_spaces,
};

/// `token_type` of control and user-defined tokens.
const CONTROL: f64 = 3.0;
const USER_DEFINED: f64 = 4.0;

/// The kinds of vocabulary that are read.
const KINDS: &str = "llama, gpt2, gemma4, bert and t5 are";

/// Reads the header of a GGUF file; its tensors are never touched.
///
/// # Errors
/// A broken header, keys that are missing, a kind that is not known.
pub fn read(files: &FileSet, name: &str) -> Result<ClasslessFormat> {
    let path = files.path_of(name);
    let reader = files.open(name)?.ok_or_else(|| Error::format(&path, "the file is gone"))?;
    let metadata = gguf::read(reader, &path)?;
    let missing = |key: &str| Error::format(&path, format!("the header has no tokenizer.ggml.{key}"));
    let kind = metadata.text("model").ok_or_else(|| missing("model"))?;
    let tokens = metadata.texts("tokens").filter(|t| !t.is_empty()).ok_or_else(|| missing("tokens"))?;
    let types = metadata.numbers("token_type").unwrap_or_default();
    let scores = || {
        let scores = metadata.numbers("scores").ok_or_else(|| missing("scores"))?;
        match scores.len() == tokens.len() {
            true => Ok(scores),
            false => {
                Err(Error::format(&path, format!("{} scores for {} tokens", scores.len(), tokens.len())))
            }
        }
    };
    let merges = || metadata.texts("merges").ok_or_else(|| missing("merges"));
    let (mut parts, note) = match kind {
        "llama" => (llama(&metadata, &tokens, &scores()?, &path)?, None),
        "gpt2" => byte_level(&metadata, &tokens, &merges()?, &path)?,
        "gemma4" => (plain_text(&metadata, &tokens, &merges()?, &path)?, None),
        "bert" => (bert(&metadata, &tokens, &path)?, None),
        "t5" => (unigram(&metadata, &tokens, &scores()?, &path)?, None),
        other => {
            let reason = format!("tokenizer model {other:?} is not supported ({KINDS})");
            return Err(Error::format(&path, reason));
        }
    };
    let added =
        tokens.iter().zip(&types).zip(0..).filter(|((_, t), _)| **t == CONTROL || **t == USER_DEFINED);
    parts.added_tokens = added
        .filter(|((token, _), _)| !token.is_empty())
        .map(|((token, kind), id)| AddedTokenWithId {
            id,
            token: AddedToken::from(token.as_str(), *kind == CONTROL).normalized(false),
        })
        .collect();
    let keys = [
        (Role::Bos, "bos_token_id"),
        (Role::Eos, "eos_token_id"),
        (Role::Unk, "unknown_token_id"),
        (Role::Sep, "seperator_token_id"),
        (Role::Pad, "padding_token_id"),
        (Role::Cls, "cls_token_id"),
        (Role::Mask, "mask_token_id"),
    ];
    let content = |id: u32| tokens.get(usize::try_from(id).ok()?).cloned();
    let roles: Vec<(Role, String)> =
        keys.into_iter().filter_map(|(role, key)| Some((role, content(metadata.id(key)?)?))).collect();
    let has = |role: Role| roles.iter().any(|(r, _)| *r == role);
    let adds_bos = metadata.flag("add_bos_token").unwrap_or(kind == "llama") && has(Role::Bos);
    let adds_eos = metadata.flag("add_eos_token").unwrap_or(false) && has(Role::Eos);
    Ok(ClasslessFormat { parts, roles, adds_bos, adds_eos, note })
}

fn llama(metadata: &GgufMetadata, tokens: &[String], scores: &[f64], path: &Path) -> Result<CoreParts> {
    let pieces: Vec<(String, f32)> = tokens.iter().cloned().zip(scores.iter().map(|s| *s as f32)).collect();
    let mut bpe = build_bpe(&pieces, MergeOrder::Score, path)?;
    bpe.unk_token = unk(metadata, tokens);
    let prefix = metadata.flag("add_space_prefix").unwrap_or(true);
    let mut parts = CoreParts::bare(bpe);
    let mut steps: Vec<Value> = Vec::new();
    if prefix {
        steps.push(prepended_space());
    }
    steps.push(visible_spaces());
    parts.normalizer = part(sequence("normalizers", steps))?;
    parts.decoder = part(llama_decoder(prefix))?;
    Ok(parts)
}

fn unk(metadata: &GgufMetadata, tokens: &[String]) -> Option<String> {
    tokens.get(usize::try_from(metadata.id("unknown_token_id")?).ok()?).cloned()
}

/// The two halves of each merge.
fn pairs(merges: &[String], path: &Path) -> Result<Vec<(String, String)>> {
    let pair = |merge: &String| {
        let halves = merge.split_once(' ').map(|(left, right)| (left.to_string(), right.to_string()));
        halves.ok_or_else(|| Error::format(path, format!("the merge {merge:?} is no pair")))
    };
    merges.iter().map(pair).collect()
}

fn do_not_fit(path: &Path) -> impl Fn(tokenizers::Error) -> Error {
    move |e| Error::format(path, format!("the merges do not fit the tokens: {e}"))
}

fn byte_level(
    metadata: &GgufMetadata,
    tokens: &[String],
    merges: &[String],
    path: &Path,
) -> Result<(CoreParts, Option<String>)> {
    let name = metadata.text("pre").unwrap_or("gpt-2");
    let known = gguf_split::split(name);
    let vocabulary: Vocab = tokens.iter().cloned().zip(0..).collect();
    let bpe = builder(vocabulary, pairs(merges, path)?, None)
        .map_err(|message| Error::format(path, message))?
        .ignore_merges(known.is_some_and(|s| s.ignore_merges))
        .build()
        .map_err(do_not_fit(path))?;
    let mut parts = CoreParts::bare(bpe);
    if name == "qwen2" {
        set_qwen2(&mut parts, false)?;
        return Ok((parts, None));
    }
    set_byte_level(&mut parts, false)?;
    let Some(known) = known else {
        return Ok((parts, Some(format!("the split pattern {name:?} is not known here; GPT-2's is used"))));
    };
    let isolated = |pattern: &&str| split(&json!({"Regex": pattern}), "Isolated");
    let mut steps: Vec<Value> = known.patterns.iter().map(isolated).collect();
    steps.push(byte_level_step(false, false));
    parts.pre_tokenizer = part(sequence("pretokenizers", steps))?;
    Ok((parts, None))
}

/// BPE over the text itself: blanks become `▁`, lines are kept apart, what has no token falls back to bytes.
fn plain_text(
    metadata: &GgufMetadata,
    tokens: &[String],
    merges: &[String],
    path: &Path,
) -> Result<CoreParts> {
    let vocabulary: Vocab = tokens.iter().cloned().zip(0..).collect();
    let mut bpe = builder(vocabulary, pairs(merges, path)?, None)
        .map_err(|message| Error::format(path, message))?
        .byte_fallback(true)
        .fuse_unk(true)
        .build()
        .map_err(do_not_fit(path))?;
    bpe.unk_token = unk(metadata, tokens);
    let mut parts = CoreParts::bare(bpe);
    parts.normalizer = part(visible_spaces())?;
    parts.pre_tokenizer = part(split(&json!({"Regex": r"[^\n]+|[\n]+"}), "Isolated"))?;
    parts.decoder = part(llama_decoder(false))?;
    Ok(parts)
}

/// WordPiece. The header marks what begins a word with `▁`, where vocab.txt marks what goes on with `##`.
fn bert(metadata: &GgufMetadata, tokens: &[String], path: &Path) -> Result<CoreParts> {
    let own = |token: &String| match token.strip_prefix('▁') {
        Some(word) => word.to_string(),
        None if token.starts_with('[') && token.ends_with(']') => token.clone(),
        None => format!("##{token}"),
    };
    let words: Vec<String> = tokens.iter().map(own).collect();
    let unk = unk(metadata, tokens).unwrap_or_else(|| "[UNK]".to_string());
    let mut parts = CoreParts::bare(word_piece::build(&words, &unk, path)?);
    set_bert(&mut parts, true, Some(true), true)?;
    Ok(parts)
}

/// Unigram with the precompiled character map of its SentencePiece model.
fn unigram(metadata: &GgufMetadata, tokens: &[String], scores: &[f64], path: &Path) -> Result<CoreParts> {
    let pieces: Vec<(String, f64)> = tokens.iter().cloned().zip(scores.iter().copied()).collect();
    let unk = metadata.id("unknown_token_id").and_then(|id| usize::try_from(id).ok());
    let bytes = tokens.iter().any(|token| token == "<0x00>");
    let model = Unigram::from(pieces, unk, bytes)
        .map_err(|e| Error::format(path, format!("the pieces make no Unigram model: {e}")))?;
    let mut parts = CoreParts::bare(model);
    let mut steps: Vec<Value> = Vec::new();
    if let Some(map) = metadata.numbers("precompiled_charsmap").filter(|map| !map.is_empty()) {
        // The array holds bytes; kinds with a sign are read as numbers all the same.
        let bytes: Vec<u8> = map.iter().map(|n| (*n as i64).rem_euclid(256) as u8).collect();
        steps.push(charsmap_json(&bytes, path)?);
    }
    if metadata.flag("remove_extra_whitespaces").unwrap_or(true) {
        steps.push(json!({"type": "Strip", "strip_left": true, "strip_right": true}));
        steps.push(json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}));
    }
    if !steps.is_empty() {
        parts.normalizer = part(sequence("normalizers", steps))?;
    }
    let prepend = if metadata.flag("add_space_prefix").unwrap_or(true) { "always" } else { "never" };
    let space = metaspace(prepend, true);
    parts.pre_tokenizer = part(space.clone())?;
    parts.decoder = part(space)?;
    Ok(parts)
}
