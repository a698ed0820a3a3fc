//! Byte-pair encoding from a vocabulary and merges, checked before the library builds it.
//!
//! tokenizers 0.23.2 copies both halves of a merge into a buffer as long as the longest token, cuts the second half at the
//! length of `continuing_subword_prefix`, and reads the result as UTF-8 unchecked: a half shorter than the prefix
//! underflows, a cut inside a character is undefined behaviour, and a pair longer than every token leaves the buffer.
//! Saving a model walks over all ids up to the highest one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use tokenizers::models::bpe::{BPE, BpeBuilder, Merges, Vocab};

use crate::tokenizer::encoding::TokenId;

/// Merges that are read; the largest vocabularies of today have half a million.
pub const MOST_MERGES: usize = 4_000_000;
/// Bytes of all ways to cut all tokens in two; those of the largest vocabularies of today are a tenth of it.
const MOST_CUT_BYTES: usize = 512 << 20;
/// Highest id of a vocabulary; those of today end at 300,000.
pub const HIGHEST_ID: TokenId = 1 << 24;

/// A builder over a vocabulary and merges that the library can take.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn builder(vocab: Vocab, merges: Merges, prefix: Option<String>) -> Result<BpeBuilder, String> {
    check_ids(vocab.values().copied())?;
    check_merges(&vocab, &merges, prefix.as_deref().unwrap_or(""))?;
    let builder = BPE::builder().vocab_and_merges(vocab, merges);
    Ok(match prefix {
        Some(prefix) => builder.continuing_subword_prefix(prefix),
        None => builder,
    })
}

/// Refuses ids that would cost more than their tokens.
///
/// # Errors
/// The first id that is too high.
pub fn check_ids(mut ids: impl Iterator<Item = TokenId>) -> Result<(), String> {
    match ids.find(|id| *id > HIGHEST_ID) {
        Some(id) => Err(format!("the vocabulary has a token with id {id} ({HIGHEST_ID} is the highest)")),
        None => Ok(()),
    }
}

fn check_merges(vocab: &Vocab, merges: &Merges, prefix: &str) -> Result<(), String> {
    check_count(merges.len())?;
    let longest = vocab.keys().map(String::len).max().unwrap_or(0);
    for (rank, (left, right)) in merges.iter().enumerate() {
        let broken = |why: &str| Err(format!("merge {rank} ({left:?} and {right:?}) {why}"));
        let Some(rest) = right.get(prefix.len()..) else {
            return broken("is cut inside a character or is shorter than continuing_subword_prefix");
        };
        if left.len() + rest.len() > longest {
            return broken("makes no token of the vocabulary");
        }
    }
    Ok(())
}

/// Refuses more merges than any vocabulary has.
///
/// # Errors
/// The number of merges.
pub fn check_count(merges: usize) -> Result<(), String> {
    match merges > MOST_MERGES {
        true => Err(format!("its tokens make {merges} merges, more than {MOST_MERGES}")),
        false => Ok(()),
    }
}

/// Refuses tokens whose ways to be cut in two cost more than any vocabulary's: tokens of which each holds all shorter
/// ones make a number of merges that is the square of theirs, each as long as the token.
///
/// # Errors
/// What they would take.
pub fn check_cuts(lengths: impl Iterator<Item = usize>) -> Result<(), String> {
    let cost = lengths.fold(0usize, |cost, len| cost.saturating_add(len.saturating_mul(len)));
    match cost > MOST_CUT_BYTES {
        true => Err(format!("its tokens are so long that their merges would take {cost} bytes")),
        false => Ok(()),
    }
}

/// Merges as `tokenizer.json` writes them: all as `"a b"`, or all as `["a", "b"]`.
#[derive(Debug, Default)]
pub struct MergesJson(pub Merges);

/// One of them.
struct MergeJson {
    halves: Option<(String, String)>,
    is_pair: bool,
}

impl<'de> Deserialize<'de> for MergesJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MergesVisitor)
    }
}

struct MergesVisitor;

impl<'de> Visitor<'de> for MergesVisitor {
    type Value = MergesJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MergesJson, A::Error> {
        let mut merges = Merges::new();
        let mut are_pairs = None;
        while let Some(merge) = list.next_element::<MergeJson>()? {
            if *are_pairs.get_or_insert(merge.is_pair) != merge.is_pair {
                return Err(A::Error::custom("some merges are texts and some are pairs"));
            }
            merges.extend(merge.halves);
            check_count(merges.len()).map_err(A::Error::custom)?;
        }
        Ok(MergesJson(merges))
    }
}

impl<'de> Deserialize<'de> for MergeJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = MergeJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge: \"a b\" or [\"a\", \"b\"]")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MergeJson, E> {
        if text.starts_with("#version") {
            return Ok(MergeJson { halves: None, is_pair: false });
        }
        match text.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                Ok(MergeJson { halves: Some((left.to_string(), right.to_string())), is_pair: false })
            }
            _ => Err(E::custom(format!("the merge {text:?} is no pair"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<MergeJson, A::Error> {
        let short = |n| A::Error::invalid_length(n, &"two tokens");
        let left = pair.next_element()?.ok_or_else(|| short(0))?;
        let right = pair.next_element()?.ok_or_else(|| short(1))?;
        Ok(MergeJson { halves: Some((left, right)), is_pair: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocab(tokens: &[&str]) -> Vocab {
        tokens.iter().zip(0..).map(|(token, id)| (token.to_string(), id)).collect()
    }

    fn built(tokens: &[&str], merge: (&str, &str), prefix: &str) -> Result<BPE, String> {
        let merges = vec![(merge.0.to_string(), merge.1.to_string())];
        builder(vocab(tokens), merges, Some(prefix.to_string()))?.build().map_err(|e| e.to_string())
    }

    #[test]
    fn merges_that_the_library_cannot_take_are_errors() {
        assert!(built(&["a", "##b", "ab"], ("a", "##b"), "##").is_ok());
        let cut = built(&["a", "漢", "a漢"], ("a", "漢"), "#").expect_err("cut");
        assert!(cut.contains("inside a character"), "{cut}");
        assert!(built(&["a", "b", "ab"], ("a", "b"), "##").is_err());
        assert!(built(&["a", "b"], ("a", "b"), "").expect_err("no token").contains("no token"));
        assert!(builder([("a".to_string(), TokenId::MAX)].into(), Merges::new(), None).is_err());
    }

    #[test]
    fn both_ways_of_writing_merges_are_read_and_no_mixture() {
        let read = |json: &str| serde_json::from_str::<MergesJson>(json).map(|m| m.0);
        let expected = vec![("a".to_string(), "b".to_string())];
        assert_eq!(read(r##"["#version: 0.2", "a b"]"##).expect("texts"), expected);
        assert_eq!(read(r#"[["a", "b"]]"#).expect("pairs"), expected);
        for broken in [
            r#"["a b c"]"#,
            r#"["a"]"#,
            r#"[["a"]]"#,
            r#"[["a", "b", "c"]]"#,
            r#"["a b", ["a", "b"]]"#,
            "[1]",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
