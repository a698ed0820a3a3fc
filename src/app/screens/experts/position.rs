//! A position of the forward, and what it is in the label view.

use crate::app::turns::Speaker;

/// Place of a patch in its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePatch {
    pub image: usize,
    pub row: usize,
    pub column: usize,
}

/// What a row of the forward is to the label view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardRow {
    /// The first token over it; `None` for a byte that no token covers.
    pub token: Option<usize>,
    pub supervised: bool,
    /// Would be supervised had the lengths agreed.
    pub lost: bool,
    pub speaker: Option<Speaker>,
    pub round: Option<usize>,
    pub patch: Option<ImagePatch>,
}
