//! Ids fast, and encodings fast: who goes through a data set meets the same words again and again.
//!
//! A text is cut at [`SplitPoints`](super::split_points::SplitPoints), where its ids provably are the ids of its parts one
//! after another. Each part is looked up in the [`WordCache`]; one that is not there is encoded by the tokenizer itself.
//! So nothing here knows how a class encodes: it is asked, once a word. [`CachedEncoder`] gives ids alone, for the fast path of
//! scans; [`RememberedWords`] gives the whole encoding, spans too, and stands behind [`Tokenizer::encode`] itself.
//!
//! A tokenizer for which that is not known to hold is refused with the reason, and so is one for which the [`probe`]
//! finds a difference. What a text holds beyond it (an added token that looks at its neighbours) is [`Uncertain`].

mod cutting;
mod encoder;
mod part_encoder;
mod probe;
mod remembered;
mod word_cache;

use std::sync::Arc;

pub use cutting::Uncertain;
pub use encoder::CachedEncoder;
pub use remembered::RememberedWords;
pub use word_cache::WordCache;

use super::loaded::Tokenizer;

impl CachedEncoder {
    /// An encoder that gives the ids of this tokenizer.
    ///
    /// # Errors
    /// Why there is none, in a sentence for people.
    pub fn new(tokenizer: &Arc<Tokenizer>) -> Result<Self, String> {
        let encoder = Self::unchecked(tokenizer)?;
        probe::check(&encoder)?;
        Ok(encoder)
    }
}
