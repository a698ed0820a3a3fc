//! `*.tiktoken`: base64 tokens with their ranks, one a line, and a split pattern that the file does not hold.
//!
//! tiktoken merges the neighbours whose *concatenation* has the lowest rank, and takes a whole piece that is
//! a token as it is. The `tokenizers` model wants pairs; listing every split of every token, in rank order,
//! gives the same result.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use rayon::prelude::*;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::Split;
use tokenizers::pre_tokenizers::split::SplitPattern;

use crate::error::{Error, Result};
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::encoding::TokenId;

/// The split pattern that Qwen-1 and StableLM-2 share: contractions, words, single digits, punctuation, white space.
pub const DIGIT_BY_DIGIT_PATTERN: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Token bytes and their ranks (which are the ids).
pub type Ranks = Vec<(Vec<u8>, TokenId)>;

/// Reads the rank file.
pub fn read_ranks(bytes: &[u8], path: &Path) -> Result<Ranks> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::format(path, format!("not UTF-8: {e}")))?;
    let broken = |line: usize, what: &str| Error::format(path, format!("line {}: {what}", line + 1));
    let mut ranks = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (token, rank) = line.split_once(' ').ok_or_else(|| broken(i, "expected a token and a rank"))?;
        let token = base64::engine::general_purpose::STANDARD
            .decode(token)
            .map_err(|e| broken(i, &format!("the token is not base64 ({e})")))?;
        let rank = rank.trim().parse().map_err(|_| broken(i, "the rank is not a number"))?;
        ranks.push((token, rank));
    }
    if ranks.is_empty() {
        return Err(Error::format(path, "the file holds no ranks"));
    }
    Ok(ranks)
}

/// The pipeline (pattern split, byte alphabet, BPE) over these ranks.
pub fn build(ranks: &Ranks, pattern: &str, path: &Path) -> Result<CoreParts> {
    let vocabulary: Vocab = ranks.iter().map(|(token, id)| (byte_alphabet::encode(token), *id)).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges(ranks))
        .ignore_merges(true)
        .build()
        .map_err(|e| Error::format(path, format!("the ranks do not make a BPE: {e}")))?;
    let split = Split::new(SplitPattern::Regex(pattern.to_string()), SplitDelimiterBehavior::Isolated, false)
        .map_err(|e| Error::format(path, format!("the split pattern is broken: {e}")))?;
    let bytes = ByteLevel::new(false, true, false);
    let steps: Vec<PreTokenizerWrapper> = vec![split.into(), bytes.into()];
    let mut parts = CoreParts::bare(model);
    parts.pre_tokenizer = Some(Sequence::new(steps).into());
    parts.decoder = Some(ByteLevel::new(false, true, false).into());
    Ok(parts)
}

/// Every way to make every token from two others, best rank first.
fn merges(ranks: &Ranks) -> Merges {
    let rank_of: HashMap<&[u8], TokenId> = ranks.iter().map(|(t, r)| (t.as_slice(), *r)).collect();
    let mut splits: Vec<(TokenId, TokenId, TokenId, String, String)> = ranks
        .par_iter()
        .flat_map_iter(|(token, rank)| {
            let rank_of = &rank_of;
            (1..token.len()).filter_map(move |at| {
                let (left, right) = token.split_at_checked(at)?;
                let (l, r) = (*rank_of.get(left)?, *rank_of.get(right)?);
                Some((*rank, l, r, byte_alphabet::encode(left), byte_alphabet::encode(right)))
            })
        })
        .collect();
    splits.par_sort_unstable_by_key(|(rank, l, r, _, _)| (*rank, *l, *r));
    splits.into_iter().map(|(_, _, _, left, right)| (left, right)).collect()
}
