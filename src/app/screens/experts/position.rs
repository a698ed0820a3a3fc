//! A position of the forward, and what it is in the label view.

use crate::app::turns::Speaker;
use crate::app::view::SampleView;
use crate::labels::TokenLabel;
use crate::moe::positions::{ImagePatch, RowPosition};

/// What a position of the forward is to the label view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionInfo {
    pub supervised: bool,
    /// Has a label that the loss never sees: discarded by the length check, or truncated.
    pub lost: bool,
    pub speaker: Option<Speaker>,
    pub round: Option<usize>,
    pub patch: Option<ImagePatch>,
}

impl PositionInfo {
    /// A position joined with the token over it.
    pub(super) fn of(view: &SampleView, position: &RowPosition) -> Self {
        let patch = position.content.patch();
        let label = position.token.filter(|_| patch.is_none()).and_then(|t| view.token(t)).map(|t| t.label);
        let section = position.token.and_then(|t| view.section_at(t)).map(|(_, s)| s);
        Self {
            supervised: position.supervised,
            lost: matches!(label, Some(TokenLabel::Discarded | TokenLabel::Truncated)),
            speaker: section.map(|s| s.speaker),
            round: section.and_then(|s| s.round),
            patch,
        }
    }
}
