//! Samples that a report names: where they stand, and for the first ones what the mask looks like.

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use crate::data::RecordPosition;
use crate::labels::TokenLabel;

/// Examples and bad records that are kept, the first by place.
const KEPT: usize = 10;

/// Of these, examples whose mask is shown.
const MASKED: usize = 3;

/// Longest record that is kept for its mask, or to try fixes on, in bytes.
pub const MOST_BYTES: usize = 64 << 10;

/// Longest text of a name or message that is kept, in characters.
const MOST_TEXT: usize = 300;

/// A record that is no sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BadRecord {
    pub file: String,
    /// Position among the records of the file, from 0.
    pub index: u64,
    /// Line, from 1, and byte, from 0, of the decompressed text; both 0 in Parquet, which has rows only.
    pub line: u64,
    pub byte: u64,
    pub message: String,
}

/// A sample with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Example {
    pub file: String,
    /// As in [`BadRecord`].
    pub index: u64,
    pub line: u64,
    pub byte: u64,
    pub id: String,
    /// The record itself, until its mask is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
}

/// The tokens of a sample, as glyphs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mask {
    /// State and lengths, or what the training code raises.
    pub summary: String,
    pub stretches: Vec<MaskStretch>,
    /// Tokens that are not shown.
    pub left_out: u64,
}

/// Neighbouring tokens of one label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MaskStretch {
    pub label: TokenLabel,
    pub tokens: Vec<String>,
}

impl BadRecord {
    pub(super) fn new(place: &RecordPosition, message: &str) -> Self {
        let RecordPosition { file, index, line, byte } = place.clone();
        Self { file, index, line, byte, message: clipped(message) }
    }

    pub(super) fn keep_first(records: &mut Vec<Self>) {
        records.sort();
        records.truncate(KEPT);
    }

    /// `file:line`, or `file, row n` where there are no lines.
    pub fn place(&self) -> String {
        place_text(&self.file, self.line, self.index)
    }
}

impl Example {
    pub(super) fn of(sample: &Counted<'_>) -> Self {
        let RecordPosition { file, index, line, byte } = sample.place.clone();
        let record = kept_record(sample.record);
        Self { file, index, line, byte, id: clipped(sample.id), record, mask: None }
    }

    /// Keeps the first ones, and of the very first the records and masks.
    pub(super) fn keep_first(examples: &mut Vec<Self>) {
        examples.sort();
        examples.truncate(KEPT);
        for example in examples.iter_mut().skip(MASKED) {
            (example.record, example.mask) = (None, None);
        }
    }

    /// `file:line`, or `file, row n` where there are no lines.
    pub fn place(&self) -> String {
        place_text(&self.file, self.line, self.index)
    }
}

/// Takes a further example in, where it is among the first.
pub(super) fn keep_first(
    examples: &mut Vec<Example>,
    example: impl FnOnce() -> Example,
    place: &RecordPosition,
) {
    let before = |last: &Example| (place.file.as_str(), place.index) < (last.file.as_str(), last.index);
    if examples.len() < KEPT || examples.last().is_some_and(before) {
        examples.push(example());
        Example::keep_first(examples);
    }
}

/// A record as text, where it is short enough to be kept.
pub(super) fn kept_record(record: &[u8]) -> Option<String> {
    (record.len() <= MOST_BYTES).then(|| String::from_utf8(record.to_vec()).ok()).flatten()
}

/// A text that is no longer than a name needs.
pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_string(),
    }
}

fn place_text(file: &str, line: u64, index: u64) -> String {
    match line {
        0 => format!("{file}, row {index}"),
        line => format!("{file}:{line}"),
    }
}
