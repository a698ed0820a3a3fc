//! What a counting rule takes for granted: where `cur_len` starts, what each round adds, what the separator counts for.

use crate::chat::Template;

/// The assumptions of a rule, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arithmetic {
    /// Start of `cur_len`.
    pub start: i64,
    /// Added to the length of a round that is encoded alone.
    pub round: i64,
    /// Added in rounds after the first (newer LLaVA's correction for `legacy`).
    pub later: i64,
    /// Ids that the rule takes the closing separator for.
    pub closing_ids: i64,
    /// Text that closes a round.
    pub closing: String,
    /// `total_len` grows by the number of separators in the prompt.
    pub adds_count: bool,
}

impl Arithmetic {
    /// Nothing added anywhere, rounds that close with `sep`.
    pub fn plain(template: &Template) -> Self {
        Self {
            start: 0,
            round: 0,
            later: 0,
            closing_ids: 1,
            closing: template.sep.clone(),
            adds_count: false,
        }
    }
}
