//! One part of a record and what became of it.

use std::ops::Range;

use super::fate::{Fate, PartKind};
use crate::labels::{IGNORE_INDEX, Labelled};

/// One part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Index of the message; `None` for what belongs to the whole record.
    pub message: Option<usize>,
    /// Where the record has it: `content[1].text`, `tool_calls[0].function.arguments.city`, `tools[0]`.
    pub path: String,
    pub kind: PartKind,
    /// Characters of the part.
    pub chars: usize,
    pub fate: Fate,
    /// It lies in the history: a later message is a user's.
    pub in_history: bool,
}

impl LedgerEntry {
    /// The path with its message, as a record is written.
    pub fn full_path(&self) -> String {
        match self.message {
            Some(message) => format!("messages[{message}].{}", self.path),
            None => self.path.clone(),
        }
    }

    /// `message 1: reasoning_content (37 characters) is not in the rendered text`.
    pub fn sentence(&self) -> String {
        let place = self.message.map_or(String::new(), |message| format!("message {message}: "));
        let Self { path, chars, .. } = self;
        match &self.fate {
            Fate::Found(_) => format!("{place}{path} is in the rendered text"),
            Fate::Lost => format!("{place}{path} ({chars} characters) is not in the rendered text"),
            Fate::Partly(lost) => {
                let count = lost.chars().count();
                format!("{place}{path}: {count} of {chars} characters are not in the rendered text: {lost:?}")
            }
            Fate::AsPython(text) => {
                format!("{place}{path} is printed as a Python value: {text}")
            }
            Fate::EscapedTwice => {
                format!("{place}{path} is a string of JSON that the template encodes as JSON once more")
            }
        }
    }

    /// Tokens that carry the part, and how many of them are supervised; `None` for a part that is not found.
    pub fn tokens(&self, labelled: &Labelled) -> Option<(Range<usize>, usize)> {
        let Fate::Found(bytes) = &self.fate else { return None };
        let start = labelled.spans.partition_point(|span| span.end <= bytes.start);
        let end = labelled.spans.partition_point(|span| span.start < bytes.end).max(start);
        let labels = labelled.labels.get(start..end)?;
        Some((start..end, labels.iter().filter(|label| **label != IGNORE_INDEX).count()))
    }
}
