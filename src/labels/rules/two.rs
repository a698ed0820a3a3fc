//! The arithmetic of two-separator templates, which v1, phi, openchat and their variants share: only numbers differ.

use super::arithmetic::Arithmetic;
use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::{SeparatorStyle, Template};
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::{Role, Tokenizer};

/// What is added to a round's length, and to its instruction's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    pub round: i64,
    pub instruction: i64,
}

const V1: Offsets = Offsets { round: 0, instruction: -2 };
const PHI: Offsets = Offsets { round: 1, instruction: -1 };

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
    /// A class without the attribute counts as not legacy, in place of an `AttributeError`.
    pub missing_legacy_is_new: bool,
    /// `cur_len -= rounds` before the check where pad and eos are one id.
    pub takes_rounds_off: bool,
}

impl TwoRule {
    /// The numbers of `preprocess_v1`: the bos of a round that is encoded alone stands in for its eos.
    pub const V1: Self = Self {
        start: 1,
        image: V1,
        text: V1,
        adds_sep2_count: false,
        looks_at_legacy: false,
        missing_legacy_is_new: false,
        takes_rounds_off: false,
    };

    /// The numbers of `preprocess_phi`: no bos, and one more a round for the eos.
    pub const PHI: Self = Self { start: 0, image: PHI, text: PHI, ..Self::V1 };

    /// What the numbers assume of the tokenizer, for samples with an image or without.
    pub fn arithmetic(self, tokenizer: &Tokenizer, template: &Template, has_image: bool) -> Arithmetic {
        let offsets = if has_image { self.image } else { self.text };
        let legacy = tokenizer.facts.legacy.or(self.missing_legacy_is_new.then_some(false));
        let not_legacy = legacy == Some(false);
        let corrects = self.looks_at_legacy && tokenizer.joins_after_special() && not_legacy;
        Arithmetic {
            start: self.start,
            round: offsets.round,
            later: -i64::from(corrects),
            closing: template.sep2.clone().unwrap_or_default(),
            adds_count: self.adds_sep2_count || (self.takes_rounds_off && pad_is_eos(tokenizer)),
            ..Arithmetic::plain(template)
        }
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
        let answer_mark = answer_mark(input.template);
        let offsets = if input.has_image { self.image } else { self.text };
        let mut round_counter = RoundCounter::new(prompt_ids, self.start);
        let rounds = split_ranges(input.prompt, sep2);
        let stop = count_rounds(input, &mut round_counter, rounds, &answer_mark, |index, measured| {
            measured.round_len += offsets.round;
            measured.instruction_len += offsets.instruction;
            if self.looks_at_legacy
                && index > 0
                && !self.legacy(input)?
                && input.tokenizer.joins_after_special()
            {
                measured.round_len -= 1;
                measured.instruction_len -= 1;
            }
            Ok(())
        })?;
        let off =
            if self.takes_rounds_off && pad_is_eos(input.tokenizer) { round_counter.rounds() } else { 0 };
        let off = i64::try_from(off).unwrap_or(i64::MAX);
        Ok(round_counter.finish_less(off, total_len, input.options.model_max_length, stop))
    }

    /// `tokenizer.legacy`.
    ///
    /// # Errors
    /// `AttributeError` for classes without the attribute, where the rule has no default.
    fn legacy(self, input: RuleInput<'_>) -> Result<bool, PythonError> {
        let facts = &input.tokenizer.facts;
        let default = self.missing_legacy_is_new.then_some(false);
        let missing = || PythonError::new("AttributeError", facts.missing_attribute("legacy"));
        facts.legacy.or(default).ok_or_else(missing)
    }
}

/// `tokenizer.pad_token_id == tokenizer.eos_token_id`.
pub fn pad_is_eos(tokenizer: &Tokenizer) -> bool {
    tokenizer.role_id(Role::Pad) == tokenizer.role_id(Role::Eos)
}

/// `sep ROLE: `, between a question and its answer.
pub fn answer_mark(template: &Template) -> String {
    format!("{}{}: ", template.sep, template.roles[1])
}
