//! One text counted three ways: bytes, characters, tokens.

use crate::masks::EncodedText;

/// Bytes of a text to its characters.
pub(super) struct Chars<'t> {
    /// Byte of every [`Chars::STRIDE`]th character.
    marks: Vec<usize>,
    text: &'t str,
}

impl<'t> Chars<'t> {
    const STRIDE: usize = 64;

    fn new(text: &'t str) -> Self {
        Self { marks: text.char_indices().step_by(Self::STRIDE).map(|(at, _)| at).collect(), text }
    }

    /// The character that begins at a byte.
    pub(super) fn at(&self, byte: usize) -> usize {
        let mark = self.marks.partition_point(|mark| *mark <= byte).saturating_sub(1);
        let from = self.marks.get(mark).copied().unwrap_or(0);
        mark * Self::STRIDE + self.text.get(from..byte).map_or(0, |text| text.chars().count())
    }

    /// The byte at which a character begins.
    pub(super) fn byte(&self, character: usize) -> usize {
        let from = self.marks.get(character / Self::STRIDE).copied().unwrap_or(self.text.len());
        let rest = self.text.get(from..).unwrap_or_default();
        rest.char_indices().nth(character % Self::STRIDE).map_or(self.text.len(), |(at, _)| from + at)
    }
}

/// A text with its tokens.
pub(super) struct Tokens<'t> {
    pub(super) chars: Chars<'t>,
    /// For each token `(start, end)` in characters.
    offsets: &'t [(usize, usize)],
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t EncodedText) -> Self {
        Self { chars: Chars::new(&text.text), offsets: &text.offsets }
    }

    pub(super) fn byte(&self, character: usize) -> usize {
        self.chars.byte(character)
    }

    /// Where two texts diverge that agree up to a byte: what two special tokens or tags share is no common text.
    pub(super) fn seam(&self, byte: usize) -> usize {
        let start = self.start_of(byte);
        let head = self.chars.text.get(..start).unwrap_or_default();
        start - usize::from(head.ends_with(['<', '[']))
    }

    /// The byte at which the token begins that lies on both sides of a byte; the byte itself between tokens.
    pub(super) fn start_of(&self, byte: usize) -> usize {
        let position = self.chars.at(byte);
        let behind = self.offsets.partition_point(|(start, _)| *start < position);
        let token = behind.checked_sub(1).and_then(|token| self.offsets.get(token));
        let Some((start, _)) = token.filter(|(_, end)| *end > position) else { return byte };
        let back = self.chars.text.get(..byte).unwrap_or_default().chars().rev().take(position - start);
        byte - back.map(char::len_utf8).sum::<usize>()
    }
}
