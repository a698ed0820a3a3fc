//! The ids of a tokenizer as a whole: which have no token, which lie beyond `len`, and what bos and eos really do.

use std::ops::Range;

use super::encoding::TokenId;
use super::loaded::Tokenizer;

/// What the ids of a tokenizer are like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdStatistics {
    /// The largest id that has a token.
    pub max_id: Option<TokenId>,
    /// Ids below `max_id` without a token, as ranges.
    pub holes: Vec<Range<TokenId>>,
    /// Added tokens whose id is not below `len`: code that sizes a table by `len` cuts them off.
    pub beyond_len: Vec<TokenId>,
    /// Ids that really stand before the ids of a text, as encoding one shows.
    pub put_before: Vec<TokenId>,
    /// Ids that really stand behind them.
    pub put_behind: Vec<TokenId>,
}

/// The text that is encoded with and without special tokens.
const PROBE: &str = "a";

impl Tokenizer {
    /// Looks at every id once; linear in the vocabulary (some milliseconds for 150,000 tokens).
    pub fn id_statistics(&self) -> IdStatistics {
        let len = TokenId::try_from(self.len()).unwrap_or(TokenId::MAX);
        let added_top = self.added.iter().map(|(id, _)| id).max().unwrap_or(0);
        let mut id_statistics = IdStatistics::default();
        let mut hole: Option<TokenId> = None;
        for id in 0..=len.max(added_top) {
            match (self.piece(id).is_some(), hole) {
                (true, Some(start)) => {
                    id_statistics.holes.push(start..id);
                    hole = None;
                }
                (false, None) => hole = Some(id),
                _ => {}
            }
            if hole.is_none() {
                id_statistics.max_id = Some(id);
            }
        }
        id_statistics.beyond_len = self.added.iter().map(|(id, _)| id).filter(|id| *id >= len).collect();
        if let (Ok(with), Ok(bare)) = (self.encode(PROBE, true), self.encode(PROBE, false))
            && let Some(at) = with.ids.windows(bare.ids.len().max(1)).position(|w| w == bare.ids)
        {
            id_statistics.put_before = with.ids.iter().take(at).copied().collect();
            id_statistics.put_behind = with.ids.iter().skip(at + bare.ids.len()).copied().collect();
        }
        id_statistics
    }
}
