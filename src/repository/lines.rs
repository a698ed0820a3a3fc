//! Line numbers of places in a text.

use ruff_text_size::TextSize;

/// Line numbers of a text.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of a place, from 1.
    pub fn line(&self, at: TextSize) -> usize {
        let at = usize::from(at);
        self.0.partition_point(|end| *end < at) + 1
    }
}
