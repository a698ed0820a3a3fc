//! What a strategy gives: ids with labels, and the text they came from.

use std::ops::Range;

use super::encoder::Encoded;
use crate::chat::jinja::Rendered;
use crate::labels::{IGNORE_INDEX, Note};
use crate::tokenizer::TokenId;

/// A text that was encoded as a whole, with what the template engine and the tokenizer said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedText {
    pub text: String,
    /// For each message the byte at which its turn begins; see [`Rendered::turn_starts`].
    pub turn_starts: Vec<Option<usize>>,
    /// For each token `(start, end)` in code points of the text.
    pub offsets: Vec<(usize, usize)>,
    /// The same in bytes.
    pub spans: Vec<Range<usize>>,
}

impl EncodedText {
    /// A rendered text and its encoding, the ids apart.
    pub fn new(rendered: Rendered, encoded: Encoded) -> (Vec<TokenId>, Self) {
        let Rendered { text, turn_starts, .. } = rendered;
        let Encoded { ids, offsets, spans } = encoded;
        (ids, Self { text, turn_starts, offsets, spans })
    }
}

/// A token sequence with labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masked {
    pub input_ids: Vec<TokenId>,
    /// As many as ids: what the loss compares with, or [`IGNORE_INDEX`].
    pub labels: Vec<i64>,
    /// Places where the trainer's code does something its user would not expect.
    pub notes: Vec<Note>,
    /// The text that was encoded as a whole; `None` where pieces were encoded and put together.
    pub source: Option<EncodedText>,
}

impl Masked {
    /// Nothing supervised yet.
    pub fn ignored(input_ids: Vec<TokenId>) -> Self {
        let labels = vec![IGNORE_INDEX; input_ids.len()];
        Self { input_ids, labels, ..Self::default() }
    }

    /// The same, made from `text`.
    pub fn of_text(mut self, text: EncodedText) -> Self {
        self.source = Some(text);
        self
    }

    /// Supervises `range`, clamped to the sequence.
    pub fn supervise(&mut self, range: Range<usize>) {
        let range = range.start..range.end.min(self.labels.len());
        if let (Some(ids), Some(labels)) = (self.input_ids.get(range.clone()), self.labels.get_mut(range)) {
            ids.iter().zip(labels).for_each(|(id, label)| *label = i64::from(*id));
        }
    }

    /// Masks `range`, clamped to the sequence.
    pub fn ignore(&mut self, range: Range<usize>) {
        let range = range.start..range.end.min(self.labels.len());
        if let Some(labels) = self.labels.get_mut(range) {
            labels.fill(IGNORE_INDEX);
        }
    }

    /// Supervises one token.
    pub fn supervise_token(&mut self, index: usize) {
        self.supervise(index..index + 1);
    }

    /// Maximal runs of supervised tokens.
    pub fn spans(&self) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for index in self.labels.iter().enumerate().filter(|(_, l)| **l != IGNORE_INDEX).map(|(i, _)| i) {
            match spans.last_mut() {
                Some(span) if span.end == index => span.end += 1,
                _ => spans.push(index..index + 1),
            }
        }
        spans
    }

    /// Adds a note.
    pub fn note(&mut self, tokens: Range<usize>, text: impl Into<String>) {
        self.notes.push(Note { tokens, text: text.into() });
    }
}
