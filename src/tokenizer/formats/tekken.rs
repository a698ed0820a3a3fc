//! `tekken.json`: Mistral's byte-level BPE: ranks with their bytes, a split pattern, special tokens in front.
//!
//! The special tokens take the first `default_num_special_tokens` ids; a rank's id is the rank moved up by that
//! number. Only the first `default_vocab_size` ids are used, however many ranks the file lists.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use serde::Deserialize;
use tokenizers::AddedToken;

use super::tiktoken::{self, Ranks};
use crate::error::{Error, Result};
use crate::tokenizer::core::{AddedTokenWithId, CoreParts};
use crate::tokenizer::encoding::TokenId;

#[derive(Debug, Deserialize)]
struct File {
    config: Config,
    vocab: Vec<Entry>,
    #[serde(default)]
    special_tokens: Vec<Special>,
}

#[derive(Debug, Deserialize)]
struct Config {
    pattern: String,
    default_vocab_size: usize,
    default_num_special_tokens: usize,
}

#[derive(Debug, Deserialize)]
struct Entry {
    rank: TokenId,
    token_bytes: String,
}

#[derive(Debug, Deserialize)]
struct Special {
    rank: TokenId,
    token_str: String,
}

/// Special tokens of files that do not list them (versions before 7).
const OLD_SPECIAL_TOKENS: [&str; 14] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
];

/// Reads a file into a pipeline; its special tokens are the added tokens.
///
/// # Errors
/// Broken JSON or base64, a number of special tokens that does not fit, a pattern that is no expression.
pub fn read(bytes: &[u8], path: &Path) -> Result<CoreParts> {
    let file: File = serde_json::from_slice(bytes).map_err(|e| Error::json(path, &e))?;
    let special = special_tokens(&file, path)?;
    let first = TokenId::try_from(special.len()).unwrap_or(TokenId::MAX);
    let kept = file.config.default_vocab_size.saturating_sub(special.len());
    let mut ranks: Ranks = Vec::new();
    for entry in file.vocab.iter().filter(|e| (e.rank as usize) < kept) {
        let token = base64::engine::general_purpose::STANDARD
            .decode(&entry.token_bytes)
            .map_err(|e| Error::format(path, format!("rank {}: not base64 ({e})", entry.rank)))?;
        let id = entry.rank.checked_add(first);
        ranks.push((token, id.ok_or_else(|| Error::format(path, "a rank is too large"))?));
    }
    if ranks.is_empty() {
        return Err(Error::format(path, "the file holds no ranks"));
    }
    let mut parts = tiktoken::build_with_special(&ranks, &special, &file.config.pattern, path)?;
    parts.added_tokens = special
        .into_iter()
        .map(|(token, id)| AddedTokenWithId { id, token: AddedToken::from(token, true).normalized(false) })
        .collect();
    Ok(parts)
}

/// The special tokens with their ids; places that the file does not name are `<SPECIAL_N>`.
fn special_tokens(file: &File, path: &Path) -> Result<Vec<(String, TokenId)>> {
    let count = file.config.default_num_special_tokens;
    if count > file.config.default_vocab_size || count > file.vocab.len().saturating_add(100_000) {
        return Err(Error::format(path, format!("{count} special tokens do not fit in this vocabulary")));
    }
    let mut listed: HashMap<usize, &str> = HashMap::new();
    // Of two with one rank the first counts, but for one that stands at its own place.
    for (at, token) in file.special_tokens.iter().enumerate() {
        let rank = token.rank as usize;
        if at == rank {
            listed.insert(rank, &token.token_str);
        } else {
            listed.entry(rank).or_insert(&token.token_str);
        }
    }
    let old = |id: usize| OLD_SPECIAL_TOKENS.get(id).copied().filter(|_| listed.is_empty());
    let name = |id: usize| match listed.get(&id).copied().or(old(id)) {
        Some(name) => name.to_string(),
        None => format!("<SPECIAL_{id}>"),
    };
    Ok((0..count).zip(0..).map(|(at, id)| (name(at), id)).collect())
}
