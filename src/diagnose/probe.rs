//! What a tokenizer does with bos, eos and a separator, found by asking it.

use crate::tokenizer::{Role, TokenId, Tokenizer};

/// Measured habits of a tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Ids that it puts before a text.
    pub bos: i64,
    /// Ids that it puts behind a text.
    pub eos: i64,
    /// Ids of the closing separator alone, without special tokens.
    pub closing_ids: Vec<TokenId>,
    /// The separator is one id wherever it stands, and never melts with its neighbours.
    pub closing_is_one: bool,
    /// Ids that `USER:` has alone minus those it has behind the separator.
    pub join: i64,
    /// Whitespace beside the separator is swallowed.
    pub strips_space: bool,
    pub pad: Option<TokenId>,
    pub eos_id: Option<TokenId>,
}

impl Probe {
    /// Asks a tokenizer about the text that closes a round and the name that opens the next.
    pub fn of(tokenizer: &Tokenizer, closing: &str, opening: &str) -> Self {
        let around = tokenizer.ids_around_text().unwrap_or_default();
        let ids = |text: &str| tokenizer.encode(text, false).map(|e| e.ids).unwrap_or_default();
        let count = |text: &str| i64::try_from(ids(text).len()).unwrap_or(0);
        let closing_ids = ids(closing);
        Self {
            bos: i64::try_from(around.before.len()).unwrap_or(0),
            eos: i64::try_from(around.behind.len()).unwrap_or(0),
            closing_is_one: is_one_token(tokenizer, closing),
            join: count(opening) - (count(&format!("a{closing}{opening}")) - count(&format!("a{closing}"))),
            strips_space: strips_space(tokenizer, closing),
            closing_ids,
            pad: tokenizer.role_id(Role::Pad),
            eos_id: tokenizer.role_id(Role::Eos),
        }
    }
}

/// True when whitespace before a text that is one token is swallowed.
pub fn strips_space(tokenizer: &Tokenizer, text: &str) -> bool {
    let count = |text: &str| tokenizer.encode(text, false).map_or(0, |e| e.len());
    count(&format!("a. \n{text}")) != count("a. \n") + usize::from(count(text) > 0)
        && !text.trim().is_empty()
        && is_one_token(tokenizer, text)
}

/// True when a text is one id of its own between any neighbours.
pub fn is_one_token(tokenizer: &Tokenizer, text: &str) -> bool {
    !text.is_empty()
        && ["x", "a.", "7", "\u{4f60}", "!\""].iter().all(|before| {
            let range = before.len()..before.len() + text.len();
            tokenizer
                .encode(&format!("{before}{text}USER"), false)
                .is_ok_and(|e| e.spans.iter().filter(|s| **s == range).count() == 1)
        })
}
