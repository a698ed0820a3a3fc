//! The difference `cur_len - total_len` of one sample, taken apart into terms that each have a cause.
//!
//! ```text
//! Δ = (start − bos) + n·(bos + eos + radd) + later + join − closing − (tail − eos) + pad − count
//! ```
//!
//! All of it is read off the ids' spans and the rule's own lengths, so that nothing is encoded again. With
//! `closing = n·s` and the last terms 0 this is the formula of docs/labels.md, section 6.

use super::arithmetic::Arithmetic;
use super::layout::tokens_before;
use super::probe::Probe;
use crate::labels::Labelled;

/// The terms of one sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeltaTerms {
    /// Rounds that the rule counted.
    pub rounds: i64,
    /// `start − bos`.
    pub start: i64,
    /// `bos + eos + radd` of each round.
    pub per_round: i64,
    /// The correction of rounds after the first, summed.
    pub later: i64,
    /// For each round: ids of its text alone, less ids of the same text in the prompt.
    pub join: Vec<i64>,
    /// Ids that closing separators really have in the prompt, summed.
    pub closing: i64,
    /// Ids behind the last round that was counted.
    pub tail: i64,
    /// Closing separators whose id is pad, so that `total_len` misses them.
    pub pad_closing: i64,
    /// Other ids equal to pad.
    pub pad_text: i64,
    /// What the rule adds to `total_len` for separators.
    pub count: i64,
}

impl DeltaTerms {
    /// Takes a counted sample apart; `None` for a rule that does not count.
    pub fn of(labelled: &Labelled, prompt: &str, arithmetic: &Arithmetic, probe: &Probe) -> Option<Self> {
        labelled.cur_len?;
        let spans = &labelled.spans;
        let count = |tokens: usize| i64::try_from(tokens).unwrap_or(i64::MAX);
        // Tokens for no text at both ends: bos (a SentencePiece model's own `▁` may follow it) and eos.
        let front = count(spans.iter().take_while(|span| span.end == 0).count()).min(probe.bos);
        let is_behind = |span: &&std::ops::Range<usize>| span.start >= prompt.len();
        let behind = count(spans.iter().rev().take_while(is_behind).count()).min(probe.eos);
        let at = |byte: usize| if byte == 0 { front } else { count(tokens_before(spans, byte)) };
        let added = probe.bos + probe.eos;
        let mut terms = Self {
            rounds: i64::try_from(labelled.rounds.len()).ok()?,
            start: arithmetic.start - at(0),
            per_round: added + arithmetic.round,
            ..Self::default()
        };
        let mut counted = at(0);
        for (index, round) in labelled.rounds.iter().enumerate() {
            let later = if index > 0 { arithmetic.later } else { 0 };
            let body = round.round_len - arithmetic.round - later - added;
            let end = (round.text.end + arithmetic.closing.len()).min(prompt.len());
            terms.later += later;
            terms.join.push(body - (at(round.text.end) - at(round.text.start)));
            terms.closing += at(end) - at(round.text.end);
            counted = at(end);
        }
        let total = i64::try_from(labelled.input_ids.len()).ok()?;
        terms.tail = total - counted - behind;
        terms.count_pads(labelled, prompt, &arithmetic.closing, probe.pad.map(i64::from));
        if arithmetic.adds_count {
            terms.count = i64::try_from(prompt.matches(&arithmetic.closing).count()).ok()?;
        }
        // The eos behind the whole prompt is in no round: it leaves total_len's side of the fit.
        terms.start -= behind;
        Some(terms)
    }

    fn count_pads(&mut self, labelled: &Labelled, prompt: &str, closing: &str, pad: Option<i64>) {
        for (id, span) in labelled.input_ids.iter().zip(&labelled.spans) {
            if Some(*id) == pad {
                match prompt.get(span.clone()) == Some(closing) {
                    true => self.pad_closing += 1,
                    false => self.pad_text += 1,
                }
            }
        }
    }

    /// The sum of all terms: `cur_len - total_len`.
    pub fn delta(&self) -> i64 {
        self.start + self.rounds * self.per_round + self.later + self.join.iter().sum::<i64>()
            - self.closing
            - self.tail
            + self.pad_closing
            + self.pad_text
            - self.count
    }
}
