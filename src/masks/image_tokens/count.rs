//! An image's size, and the number of tokens it becomes with the arithmetic behind it.

/// Height and width of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    pub height: usize,
    pub width: usize,
}

/// One line of the arithmetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountStep {
    /// What is computed.
    pub what: &'static str,
    /// How, with the numbers put in.
    pub how: String,
}

/// The result for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTokens {
    /// Tokens that stand for image features.
    pub count: usize,
    /// Rows and columns of tiles, for processors that cut the image.
    pub grid: Option<(usize, usize)>,
    /// The text around and of the placeholders, repeats written as `token×n`.
    pub text: String,
    pub steps: Vec<CountStep>,
}

pub(super) fn step(what: &'static str, how: String) -> CountStep {
    CountStep { what, how }
}
