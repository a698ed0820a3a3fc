//! A changed text that still knows which bytes of the original each of its bytes came from.

use std::ops::Range;

/// Text with a map back to the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlignedText {
    text: String,
    /// For each byte of `text` the source byte range of the character that it came from.
    source: Vec<(u32, u32)>,
}

impl AlignedText {
    /// The changed text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends a character that stands for `source`.
    pub fn push(&mut self, c: char, source: Range<usize>) {
        let source = (narrow(source.start), narrow(source.end));
        self.text.push(c);
        self.source.extend(std::iter::repeat_n(source, c.len_utf8()));
    }

    /// Takes the last character away.
    pub fn pop(&mut self) {
        self.text.pop();
        self.source.truncate(self.text.len());
    }

    /// The source bytes that a range of the changed text stands for.
    pub fn source_of(&self, range: Range<usize>) -> Range<usize> {
        let covered = self.source.get(range).unwrap_or(&[]);
        let start = covered.iter().map(|s| s.0).min();
        let end = covered.iter().map(|s| s.1).max();
        match (start, end) {
            (Some(start), Some(end)) => start as usize..end as usize,
            _ => 0..0,
        }
    }
}

/// Texts are far below 4 GiB (files are capped at 1 GiB); half the memory of `usize` pays on long prompts.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_in_source_bytes() {
        let mut aligned = AlignedText::default();
        aligned.push('▁', 0..0);
        aligned.push('é', 0..2);
        aligned.push('▁', 2..3);
        assert_eq!(aligned.as_str(), "▁é▁");
        assert_eq!(aligned.source_of(0..3), 0..0);
        assert_eq!(aligned.source_of(0..5), 0..2);
        assert_eq!(aligned.source_of(5..8), 2..3);
        aligned.pop();
        aligned.push('b', 3..4);
        assert_eq!((aligned.as_str(), aligned.source_of(5..6)), ("▁éb", 3..4));
    }
}
