//! `truncation_strategy` of ms-swift.

use serde::Deserialize;

/// What becomes of a row that is too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwiftTruncation {
    #[default]
    Raise,
    /// The end is kept.
    Left,
    /// The start is kept.
    Right,
    Split,
    /// What the command line makes of [`Self::Raise`]: the row is dropped.
    Delete,
}
