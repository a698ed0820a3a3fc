//! The views of screen Experts.

/// What of the routing is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExpertsView {
    /// The text, each token in its expert's colour and letter.
    #[default]
    Tokens,
    /// Load of every layer.
    Load,
    /// Load of one layer by subset of positions.
    Split,
    /// The token under the cursor through all layers.
    Token,
    /// Expert co-activation, and the most frequent routing paths through the layers.
    Paths,
    /// The patches of an image.
    Image,
}

impl ExpertsView {
    /// All, in the order of the key.
    pub const ALL: [ExpertsView; 6] =
        [Self::Tokens, Self::Load, Self::Split, Self::Token, Self::Paths, Self::Image];

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Load => "load",
            Self::Split => "split",
            Self::Token => "token",
            Self::Paths => "paths",
            Self::Image => "image",
        }
    }

    /// The view `by` further, around the ends.
    pub fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|v| *v == self).unwrap_or(0);
        let next = (at + Self::ALL.len()).saturating_add_signed(by) % Self::ALL.len();
        Self::ALL.get(next).copied().unwrap_or_default()
    }
}
