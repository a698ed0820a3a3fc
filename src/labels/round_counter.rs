//! The running count of a rule: rounds, `cur_len`, and what each stretch of tokens became.

use std::ops::Range;

use super::IGNORE_INDEX;
use super::encode::PromptIds;
use super::{Labelled, LoopEnd, Round, Segment, SegmentKind};
use crate::python::python_slice;

/// The texts of one round in the prompt, and what they measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Byte range of the round in the prompt.
    pub text: Range<usize>,
    /// Byte range of its instruction part.
    pub instruction_text: Range<usize>,
    pub round_len: i64,
    pub instruction_len: i64,
}

/// Counts rounds and paints tokens, in the order in which the training code masks them.
#[derive(Debug)]
pub struct RoundCounter {
    prompt: PromptIds,
    painted: Vec<(SegmentKind, Option<usize>)>,
    labels: Vec<i64>,
    rounds: Vec<Round>,
    cur_len: i64,
}

impl RoundCounter {
    /// A counter whose `cur_len` starts at `start`; tokens before it are masked.
    pub fn new(prompt: PromptIds, start: i64) -> Self {
        let len = prompt.ids.len();
        let mut round_counter = Self {
            painted: vec![(SegmentKind::Tail, None); len],
            labels: prompt.ids.clone(),
            rounds: Vec::new(),
            cur_len: start,
            prompt,
        };
        round_counter.mask(0, start, SegmentKind::Start, None);
        round_counter
    }

    /// Masks `[start, end)` for a reason.
    pub fn mask(&mut self, start: i64, end: i64, kind: SegmentKind, round: Option<usize>) {
        let range = python_slice(self.labels.len(), start, end);
        self.paint(range.clone(), kind, round);
        self.labels.get_mut(range).into_iter().flatten().for_each(|label| *label = IGNORE_INDEX);
    }

    /// Names `[start, end)` without masking it.
    pub fn name(&mut self, start: i64, end: i64, kind: SegmentKind, round: Option<usize>) {
        let range = python_slice(self.labels.len(), start, end);
        self.paint(range, kind, round);
    }

    fn paint(&mut self, range: Range<usize>, kind: SegmentKind, round: Option<usize>) {
        self.painted.get_mut(range).into_iter().flatten().for_each(|p| *p = (kind, round));
    }

    /// Adds a round: its instruction is masked, the rest stays supervised, `cur_len` moves on.
    pub fn add_round(&mut self, measured: Measured) {
        let index = Some(self.rounds.len());
        let start = self.cur_len;
        let end = start + measured.round_len;
        self.name(start, end, SegmentKind::Answer, index);
        self.mask(start, start + measured.instruction_len, SegmentKind::Instruction, index);
        self.rounds.push(Round {
            round_len: measured.round_len,
            instruction_len: measured.instruction_len,
            start,
            end,
            text: measured.text,
            instruction_text: measured.instruction_text,
            message: None,
        });
        self.cur_len = end;
    }

    /// Number of rounds so far.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The end of a counting rule: mask what is left, then throw all labels away if the counts differ.
    ///
    /// The check is skipped when `cur_len` has reached `model_max_length`, as in the training code.
    pub fn finish(self, total_len: i64, model_max_length: usize, stop: LoopEnd) -> Labelled {
        self.finish_less(0, total_len, model_max_length, stop)
    }

    /// The same where `off` is taken off `cur_len` between the mask and the check.
    pub fn finish_less(
        mut self,
        off: i64,
        total_len: i64,
        model_max_length: usize,
        stop: LoopEnd,
    ) -> Labelled {
        let (cur_len, len) = (self.cur_len, i64::try_from(self.labels.len()).unwrap_or(i64::MAX));
        let tail = python_slice(self.labels.len(), cur_len, len.max(cur_len));
        self.paint(tail.clone(), SegmentKind::Tail, None);
        self.labels.get_mut(tail).into_iter().flatten().for_each(|label| *label = IGNORE_INDEX);
        let cur_len = cur_len - off;
        let checked = i64::try_from(model_max_length).map_or(true, |max| cur_len < max);
        let mismatch = checked && cur_len != total_len;
        let warning =
            mismatch.then(|| format!("WARNING: tokenization mismatch: {cur_len} vs. {total_len}. (ignored)"));
        self.into_labelled(Some(cur_len), Some(total_len), warning, stop)
    }

    /// The end of a rule without a length check.
    pub fn finish_unchecked(self, cur_len: Option<i64>, total_len: Option<i64>) -> Labelled {
        self.into_labelled(cur_len, total_len, None, LoopEnd::NoLoop)
    }

    fn into_labelled(
        self,
        cur_len: Option<i64>,
        total_len: Option<i64>,
        warning: Option<String>,
        stop: LoopEnd,
    ) -> Labelled {
        let labels = match warning {
            Some(_) => vec![IGNORE_INDEX; self.labels.len()],
            None => self.labels.clone(),
        };
        Labelled {
            segments: segments(&self.painted),
            input_ids: self.prompt.ids,
            spans: self.prompt.spans,
            labels,
            labels_before_check: self.labels,
            kept_len: usize::MAX,
            cur_len,
            total_len,
            mismatch: warning.is_some(),
            warning,
            rounds: self.rounds,
            stop,
            notes: Vec::new(),
        }
    }
}

fn segments(painted: &[(SegmentKind, Option<usize>)]) -> Vec<Segment> {
    let mut start = 0;
    painted
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let (kind, round) = run.first().copied().unwrap_or((SegmentKind::Tail, None));
            let tokens = start..start + run.len();
            start = tokens.end;
            Segment { tokens, kind, round }
        })
        .collect()
}
