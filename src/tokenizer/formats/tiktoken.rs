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
use tokenizers::models::bpe::{Merges, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::Split;
use tokenizers::pre_tokenizers::split::SplitPattern;

use super::merges;
use crate::error::{Error, Result};
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::encoding::TokenId;

/// The split pattern that Qwen-1 and StableLM-2 share: contractions, words, single digits, punctuation, white space.
pub const DIGIT_BY_DIGIT_PATTERN: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// The split pattern of Llama 3 and of tiktoken's `cl100k_base`: up to three digits together.
pub const THREE_DIGITS_PATTERN: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// GPT-2's split pattern (`r50k_base`, `p50k_base`).
pub const GPT2_PATTERN: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The split pattern of `o200k_base`: words by their case.
pub const O200K_PATTERN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// The split pattern of Kimi's class: that of `o200k_base` with runs of Han characters taken apart from other letters.
pub const HAN_PATTERN: &str = concat!(
    r"[\p{Han}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*",
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+",
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// What a rank file does not hold: its split pattern and special tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEncoding {
    pub name: &'static str,
    pub pattern: &'static str,
    pub special: Vec<(String, TokenId)>,
}

impl KnownEncoding {
    /// The published encoding that has this many ranks; `None` for other numbers.
    pub fn by_rank_count(ranks: usize) -> Option<Self> {
        let named = |list: &[(&str, TokenId)]| list.iter().map(|(t, id)| (t.to_string(), *id)).collect();
        let (name, pattern, special) = match ranks {
            50_256 => ("r50k_base", GPT2_PATTERN, named(&[("<|endoftext|>", 50_256)])),
            50_280 => ("p50k_base", GPT2_PATTERN, named(&[("<|endoftext|>", 50_256)])),
            100_256 => (
                "cl100k_base",
                THREE_DIGITS_PATTERN,
                named(&[
                    ("<|endoftext|>", 100_257),
                    ("<|fim_prefix|>", 100_258),
                    ("<|fim_middle|>", 100_259),
                    ("<|fim_suffix|>", 100_260),
                    ("<|endofprompt|>", 100_276),
                ]),
            ),
            128_000 => ("llama3", THREE_DIGITS_PATTERN, llama3_special_tokens()),
            199_998 => (
                "o200k_base",
                O200K_PATTERN,
                named(&[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)]),
            ),
            _ => return None,
        };
        Some(Self { name, pattern, special })
    }
}

/// Llama 3's 256 special tokens from id 128000 on: five with a name, the others reserved.
fn llama3_special_tokens() -> Vec<(String, TokenId)> {
    let mut reserved = 0;
    let token = |at: u32| match at {
        0 => "<|begin_of_text|>".to_string(),
        1 => "<|end_of_text|>".to_string(),
        6 => "<|start_header_id|>".to_string(),
        7 => "<|end_header_id|>".to_string(),
        9 => "<|eot_id|>".to_string(),
        _ => {
            reserved += 1;
            format!("<|reserved_special_token_{}|>", reserved - 1)
        }
    };
    (0..256).map(token).zip(128_000..).collect()
}

/// True for a text whose first line is a base64 token and a rank.
pub fn looks_like_ranks(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\n').next().unwrap_or(&[]);
    let Some((token, rank)) = std::str::from_utf8(line).ok().and_then(|l| l.trim_end().split_once(' '))
    else {
        return false;
    };
    rank.parse::<TokenId>().is_ok() && base64::engine::general_purpose::STANDARD.decode(token).is_ok()
}

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
    build_with_special(ranks, &[], pattern, path)
}

/// The same with special tokens that are entries of the vocabulary, so that they keep ids with holes between.
pub fn build_with_special(
    ranks: &Ranks,
    special: &[(String, TokenId)],
    pattern: &str,
    path: &Path,
) -> Result<CoreParts> {
    let broken = |message: String| Error::format(path, message);
    merges::check_cuts(ranks.iter().map(|(token, _)| token.len())).map_err(broken)?;
    let mut vocabulary: Vocab = ranks.iter().map(|(token, id)| (byte_alphabet::encode(token), *id)).collect();
    vocabulary.extend(special.iter().cloned());
    let model = merges::builder(vocabulary, pairs(ranks), None)
        .map_err(broken)?
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
fn pairs(ranks: &Ranks) -> Merges {
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
