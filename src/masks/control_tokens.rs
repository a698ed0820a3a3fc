//! The special tokens of a tokenizer, looked for in the texts of messages: one automaton for all of them.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::tokenizer::{TokenId, Tokenizer};

/// Finds special tokens that stand in a text.
#[derive(Debug, Default)]
pub struct ControlTokens {
    /// `None` where the tokenizer has no special token, or too many of them.
    search: Option<AhoCorasick>,
    tokens: Vec<(TokenId, String)>,
}

impl ControlTokens {
    /// Those of a tokenizer. White space is no token that a text could have by mistake.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let mut tokens = tokenizer.special_surfaces();
        tokens.retain(|(_, text)| !text.trim().is_empty());
        let texts = tokens.iter().map(|(_, text)| text.as_str());
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok();
        Self { search: search.filter(|_| !tokens.is_empty()), tokens }
    }

    /// Every special token in a text.
    pub fn in_text<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (TokenId, &'a str)> {
        let found = self.search.iter().flat_map(move |search| search.find_iter(text));
        found.filter_map(|at| {
            let (id, token) = self.tokens.get(at.pattern().as_usize())?;
            Some((*id, token.as_str()))
        })
    }
}
