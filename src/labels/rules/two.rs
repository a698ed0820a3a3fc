//! The rules of two-separator templates: v1, phi, openchat and their variants, one arithmetic with other offsets.

use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::SeparatorStyle;
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError, Rule};

/// What is added to a round's length, and to its instruction's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    pub round: i64,
    pub instruction: i64,
}

/// The numbers in which the rules of this family differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoRule {
    /// Start of `cur_len`.
    pub start: i64,
    /// Offsets for samples with an image.
    pub image: Offsets,
    /// Offsets for text samples.
    pub text: Offsets,
    /// `total_len += conversation.count(sep2)`.
    pub adds_sep2_count: bool,
    /// Later rounds lose one on both lengths when the tokenizer is not legacy.
    pub looks_at_legacy: bool,
}

impl TwoRule {
    /// The numbers of a rule; `None` for rules of another family.
    pub fn of(rule: Rule) -> Option<Self> {
        let v1 = Offsets { round: 0, instruction: -2 };
        let phi = Offsets { round: 1, instruction: -1 };
        let base = Self { start: 1, image: v1, text: v1, adds_sep2_count: false, looks_at_legacy: false };
        Some(match rule {
            Rule::V1 | Rule::Openchat => base,
            Rule::Phi => Self { start: 0, image: phi, text: phi, ..base },
            Rule::PhiCount => Self { start: 0, image: phi, text: phi, adds_sep2_count: true, ..base },
            Rule::DocQwenPhi => Self { image: phi, ..base },
            Rule::DocStablelm => Self { image: phi, adds_sep2_count: true, ..base },
            Rule::LlavaV1 => Self { looks_at_legacy: true, ..base },
            _ => return None,
        })
    }

    /// Labels of a prompt.
    ///
    /// # Errors
    /// What the Python function raises.
    pub fn label(self, input: RuleInput<'_>) -> Result<Labelled, PythonError> {
        let prompt_ids = input.prompt_ids()?;
        input.assert_style(SeparatorStyle::Two)?;
        let sep2 = input.template.sep2.as_deref().unwrap_or("");
        let mut total_len = input.total_len(&prompt_ids.ids)?;
        if self.adds_sep2_count {
            total_len += i64::try_from(input.prompt.matches(sep2).count()).unwrap_or(i64::MAX);
        }
        let answer_mark = Rule::V1.answer_mark(input.template);
        let offsets = if input.has_image { self.image } else { self.text };
        let mut round_counter = RoundCounter::new(prompt_ids, self.start);
        let rounds = split_ranges(input.prompt, sep2);
        let stop = count_rounds(input, &mut round_counter, rounds, &answer_mark, |index, measured| {
            measured.round_len += offsets.round;
            measured.instruction_len += offsets.instruction;
            if self.looks_at_legacy && index > 0 && !legacy(input)? && input.tokenizer.joins_after_special() {
                measured.round_len -= 1;
                measured.instruction_len -= 1;
            }
            Ok(())
        })?;
        Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
    }
}

/// `tokenizer.legacy`.
///
/// # Errors
/// `AttributeError` for classes without the attribute.
fn legacy(input: RuleInput<'_>) -> Result<bool, PythonError> {
    let facts = &input.tokenizer.facts;
    facts.legacy.ok_or_else(|| PythonError::new("AttributeError", facts.missing_attribute("legacy")))
}
