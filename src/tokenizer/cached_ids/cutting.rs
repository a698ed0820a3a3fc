//! How the texts of one tokenizer are cut into parts that are encoded by themselves.

use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::split_points::SplitPoints;

/// The ids of this text are not sure to be found this way: the tokenizer must be asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncertain;

/// What is known of the texts of one tokenizer.
#[derive(Debug, Clone)]
pub struct Cutting {
    pub split_points: SplitPoints,
    /// Added tokens; a part that holds one which looks at its neighbours, or which the family does not cut at, is
    /// [`Uncertain`].
    pub added: Vec<Added>,
    /// Ids that the class puts before every text, and behind.
    pub before: Vec<TokenId>,
    pub behind: Vec<TokenId>,
    /// The id of a space that nothing follows.
    pub space: TokenId,
}

/// An added token as the cutting at split points must know it.
#[derive(Debug, Clone)]
pub struct Added {
    pub content: String,
    /// It takes white space or words beside it into account.
    pub looks_around: bool,
}
