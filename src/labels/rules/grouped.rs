//! The arithmetic of ChatML-like templates, whose one separator ends every turn: system, user and answer are the first round,
//! then user and answer. The functions of this family differ in numbers only.

use std::ops::Range;

use super::arithmetic::Arithmetic;
use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::{SeparatorStyle, Template};
use crate::labels::encode::piece_len;
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::Tokenizer;

/// The numbers in which the rules of this family differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupedRule {
    /// Start of `cur_len`.
    pub start: i64,
    /// Added to a round's length, and to its instruction's.
    pub round: i64,
    pub instruction: i64,
    /// Added to both lengths of the first round, and of every later one.
    pub first: i64,
    pub later: i64,
    /// The same where `tokenizer.legacy` is true.
    pub legacy_first: i64,
    pub legacy_later: i64,
    /// A round is longer by what the separator alone is encoded to.
    pub adds_separator: bool,
    /// Texts are encoded as samples with an image are: neither checked for a pad token nor cut.
    pub as_images: bool,
}

impl GroupedRule {
    /// Nothing added anywhere.
    pub const PLAIN: Self = Self {
        start: 0,
        round: 0,
        instruction: 0,
        first: 0,
        later: 0,
        legacy_first: 0,
        legacy_later: 0,
        adds_separator: false,
        as_images: false,
    };

    /// LLaVA's `preprocess_mpt`: bos is taken off the instruction, later rounds of a legacy tokenizer get one more.
    pub const LLAVA: Self = Self { instruction: -1, legacy_later: 1, ..Self::PLAIN };

    /// What the numbers assume of the tokenizer; `None` where the separator cannot be encoded.
    pub fn arithmetic(self, tokenizer: &Tokenizer, template: &Template) -> Option<Arithmetic> {
        let legacy = is_legacy(tokenizer);
        let [first, later] = [(self.first, self.legacy_first), (self.later, self.legacy_later)]
            .map(|(always, legacy_too)| always + if legacy { legacy_too } else { 0 });
        let mut arithmetic = Arithmetic {
            start: self.start,
            round: self.round + first,
            later: later - first,
            ..Arithmetic::plain(template)
        };
        if self.adds_separator {
            arithmetic.round += piece_len(tokenizer, &template.sep, true).ok()?;
            arithmetic.closing_ids =
                i64::try_from(tokenizer.encode(&template.sep, false).ok()?.len()).ok()?;
        }
        Some(arithmetic)
    }

    /// Labels of a prompt.
    ///
    /// # Errors
    /// What the Python function raises.
    pub fn label(self, input: RuleInput<'_>) -> Result<Labelled, PythonError> {
        let input = RuleInput { has_image: input.has_image || self.as_images, ..input };
        let prompt_ids = input.prompt_ids()?;
        input.assert_style(SeparatorStyle::Mpt)?;
        let total_len = input.total_len(&prompt_ids.ids)?;
        let mark = answer_mark(input.template);
        let separator = if self.adds_separator { input.measure(&input.template.sep)? } else { 0 };
        let legacy = is_legacy(input.tokenizer);
        let mut round_counter = RoundCounter::new(prompt_ids, self.start);
        let ranges = rounds(input.prompt, input.template.sep.as_str());
        let stop = count_rounds(input, &mut round_counter, ranges, &mark, |index, measured| {
            let (always, legacy_too) = match index {
                0 => (self.first, self.legacy_first),
                _ => (self.later, self.legacy_later),
            };
            let both = always + if legacy { legacy_too } else { 0 };
            measured.round_len += self.round + separator + both;
            measured.instruction_len += self.instruction + both;
            Ok(())
        })?;
        Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
    }
}

/// The separator and the answer's role, which holds its own markers.
pub fn answer_mark(template: &Template) -> String {
    format!("{}{}", template.sep, template.roles[1])
}

/// `getattr(tokenizer, "legacy", False)`, with a library in which the attribute decides.
fn is_legacy(tokenizer: &Tokenizer) -> bool {
    tokenizer.facts.legacy == Some(true) && tokenizer.joins_after_special()
}

/// The prompt cut at the separator: three pieces together first, then two by two.
fn rounds(prompt: &str, sep: &str) -> Vec<Range<usize>> {
    let pieces = split_ranges(prompt, sep);
    let join = |run: &[Range<usize>]| Some(run.first()?.start..run.last()?.end);
    let (head, tail) = pieces.split_at(pieces.len().min(3));
    join(head).into_iter().chain(tail.chunks(2).filter_map(join)).collect()
}
