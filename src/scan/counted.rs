//! One sample on its way into the counts of a scan.

use std::ops::Range;

use crate::data::RecordPosition;
use crate::diagnose::RuleHit;
use crate::labels::StatusKind;

/// One sample on its way into the counts.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    pub status: StatusKind,
    pub place: &'a RecordPosition,
    pub id: &'a str,
    /// The record as JSON.
    pub record: &'a [u8],
    /// Assistant turns.
    pub rounds: usize,
    /// Value of the source key, where one was named.
    pub source: Option<&'a str>,
    /// `None` for a sample that raises.
    pub lengths: Option<Lengths<'a>>,
    pub concerns: &'a [RuleHit],
}

/// Lengths of one labelled sample, in ids.
#[derive(Debug, Clone, Copy)]
pub struct Lengths<'a> {
    pub tokens: usize,
    /// Positions of the ids that have a label.
    pub labelled: &'a [Range<usize>],
    /// Ids that the collator keeps.
    pub kept: usize,
    /// Ids whose label the length check discarded.
    pub discarded: usize,
    /// `cur_len - total_len`, where the rule compares the two.
    pub delta: Option<i64>,
}
