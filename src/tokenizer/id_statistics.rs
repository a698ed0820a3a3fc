//! The ids of a tokenizer as a whole: which have no token, which lie beyond `len`.

use std::ops::Range;

use super::bos_and_eos::IdsAroundText;
use super::encoding::TokenId;
use super::loaded::Tokenizer;

/// Ids behind `len` that are looked at one by one.
const NEAR: TokenId = 1 << 20;

/// Which ids have a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdStatistics {
    /// The largest id that has a token.
    pub max_id: Option<TokenId>,
    /// Ids below `max_id` without a token, as ranges.
    pub holes: Vec<Range<TokenId>>,
    /// Added tokens whose id is not below `len`: code that sizes a table by `len` cuts them off.
    pub beyond_len: Vec<TokenId>,
    /// What the tokenizer puts around a text, as encoding one shows.
    pub around: IdsAroundText,
}

impl Tokenizer {
    /// Looks at every id once; linear in the vocabulary (some milliseconds for 150,000 tokens).
    pub fn id_statistics(&self) -> IdStatistics {
        let len = TokenId::try_from(self.len()).unwrap_or(TokenId::MAX);
        let added_top = self.added.iter().map(|(id, _)| id).max().unwrap_or(0);
        let mut statistics = IdStatistics::default();
        // A file may give a token any id: far beyond the vocabulary only those are looked at.
        let top = len.max(added_top.min(len.saturating_add(NEAR)));
        let beyond = self.added.iter().map(|(id, _)| id).filter(|id| *id > top);
        let mut end = 0;
        for id in (0..=top).chain(beyond).filter(|id| self.piece(*id).is_some()) {
            if id > end {
                statistics.holes.push(end..id);
            }
            statistics.max_id = Some(id);
            end = id.saturating_add(1);
        }
        statistics.beyond_len = self.added.iter().map(|(id, _)| id).filter(|id| *id >= len).collect();
        statistics.around = self.ids_around_text().unwrap_or_default();
        statistics
    }
}
