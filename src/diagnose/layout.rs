//! Masks held against the turns of the prompt, as the template wrote them.
//!
//! The label rules find rounds by splitting the prompt, and a text that contains a separator fools them. The
//! layout that the renderer kept is the other view.

use std::ops::Range;

use crate::chat::{Speaker, TurnLayout};
use crate::labels::{Inspection, Labelled, Rule};
use crate::setup::LlavaSetup;
use crate::tokenizer::{TokenId, Tokenizer};

/// The turns that a rule's mask is held against; `None` for rules whose prompt has no such turns (`plain`, `v0`),
/// for records with labels of their own, and where no prompt was made.
pub fn turns<'i>(setup: &LlavaSetup, inspection: &'i Inspection) -> Option<&'i [TurnLayout]> {
    let rule = setup.labelling.rule;
    let has_turns = !rule.is(Rule::Plain) && !rule.is(Rule::V0);
    let turns = inspection.layout.turns.as_slice();
    (has_turns && !turns.is_empty()).then_some(turns)
}

/// Number of tokens that end at or before a byte of the prompt.
///
/// A token that stands for no text (the `▁` that SentencePiece puts before a text) belongs to what follows it; at the
/// prompt's beginning it counts, as bos stands there.
pub fn tokens_before(spans: &[Range<usize>], byte: usize) -> usize {
    spans.partition_point(|span| span.end <= byte && (span.start < byte || byte == 0))
}

/// Number of special tokens that stand in front for no text: bos, where the class puts one.
pub fn tokens_in_front(tokenizer: &Tokenizer, ids: &[i64], spans: &[Range<usize>]) -> usize {
    let is_special = |id: i64| TokenId::try_from(id).is_ok_and(|id| tokenizer.is_special(id));
    ids.iter().zip(spans).take_while(|(id, span)| span.end == 0 && is_special(**id)).count()
}

/// A mask held against the turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaskCheck {
    /// Tokens of answers and their stop tokens.
    pub wanted: usize,
    /// Of these, tokens that are masked.
    pub missing: usize,
    /// Supervised tokens outside of answers.
    pub leaked: usize,
    /// Answers whose last token is masked.
    pub unstopped: usize,
    /// Supervised tokens that are nothing but the space before an answer.
    pub bare_spaces: usize,
}

impl MaskCheck {
    /// True when exactly the answers and their stop tokens are supervised.
    pub fn is_right(&self) -> bool {
        self.missing == 0 && self.leaked == 0
    }
}

/// Compares the labels before the length check with the answers. Text behind a truncation is not asked for.
pub fn check_mask(labelled: &Labelled, turns: &[TurnLayout]) -> MaskCheck {
    let mut check = MaskCheck::default();
    let supervised = |i: usize| labelled.labels_before_check.get(i).is_some_and(|l| *l >= 0);
    let all = (0..labelled.input_ids.len()).filter(|i| supervised(*i)).count();
    let mut inside = 0;
    for turn in turns.iter().filter(|t| t.speaker == Speaker::Assistant && !t.content.is_empty()) {
        let first = tokens_before(&labelled.spans, turn.header.end);
        let end = tokens_before(&labelled.spans, turn.whole.end);
        // A token that also covers what follows the separator is no part of the turn.
        for i in first..end {
            let span = labelled.spans.get(i).cloned().unwrap_or(0..0);
            let image = labelled.input_ids.get(i).is_some_and(|id| *id < 0);
            inside += usize::from(supervised(i));
            if span.end <= turn.content.start {
                check.bare_spaces += usize::from(supervised(i));
            } else if !image {
                check.wanted += 1;
                check.missing += usize::from(!supervised(i));
            }
        }
        check.unstopped += usize::from(end > first && !supervised(end - 1));
    }
    check.leaked = all.saturating_sub(inside);
    check
}
