//! The rule of MPT (ChatML-like) templates: system, user and answer are the first round, then user and answer.

use std::ops::Range;

use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::SeparatorStyle;
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError, Rule};

/// Which of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MptRule {
    /// MoE-LLaVA: the closing separator is counted by itself, every sample is image-aware.
    MoeLlava,
    /// Newer LLaVA: bos is taken off the instruction, later rounds of a legacy tokenizer get one more.
    Llava,
}

/// Labels of a prompt.
///
/// # Errors
/// What the Python function raises.
pub fn label(rule: MptRule, mut input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    // MoE-LLaVA's function has no branch for text samples.
    input.has_image |= rule == MptRule::MoeLlava;
    let prompt_ids = input.prompt_ids()?;
    input.assert_style(SeparatorStyle::Mpt)?;
    let total_len = input.total_len(&prompt_ids.ids)?;
    let sep = input.template.sep.as_str();
    let answer_mark = Rule::Mpt.answer_mark(input.template);
    let separator_len = match rule {
        MptRule::MoeLlava => input.measure(sep)?,
        MptRule::Llava => 0,
    };
    let mut round_counter = RoundCounter::new(prompt_ids, 0);
    let stop = count_rounds(
        input,
        &mut round_counter,
        rounds(input.prompt, sep),
        &answer_mark,
        |index, measured| {
            measured.round_len += separator_len;
            if rule == MptRule::Llava {
                measured.instruction_len -= 1;
                let legacy = input.tokenizer.facts.legacy.unwrap_or(false);
                if index > 0 && legacy && input.tokenizer.joins_after_special() {
                    measured.round_len += 1;
                    measured.instruction_len += 1;
                }
            }
            Ok(())
        },
    )?;
    Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
}

/// The prompt cut at the separator: three pieces together first, then two by two.
fn rounds(prompt: &str, sep: &str) -> Vec<Range<usize>> {
    let pieces = split_ranges(prompt, sep);
    let join = |run: &[Range<usize>]| Some(run.first()?.start..run.last()?.end);
    let (head, tail) = pieces.split_at(pieces.len().min(3));
    join(head).into_iter().chain(tail.chunks(2).filter_map(join)).collect()
}
