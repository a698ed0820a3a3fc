//! The rule of Llama-2 templates: rounds end at sep2, instructions at `[/INST] `.

use super::arithmetic::Arithmetic;
use super::rule_facts::{Counting, RoundRule, RuleFacts, TrainingCode};
use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::{SeparatorStyle, Template};
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::Tokenizer;

pub static RULE: RuleFacts = RuleFacts {
    name: "llama_2",
    aliases: &[],
    summary: "[INST] … [/INST] rounds",
    runs_for: |template| template.style == SeparatorStyle::Llama2,
    counting: Counting::Rounds(RoundRule { label, answer_mark, arithmetic }),
    code: TrainingCode { function: None, also: "" },
};

fn answer_mark(_: &Template) -> String {
    "[/INST] ".to_string()
}

fn arithmetic(_: &Tokenizer, template: &Template) -> Option<Arithmetic> {
    let closing = template.sep2.clone().unwrap_or_default();
    Some(Arithmetic { start: 1, closing, ..Arithmetic::plain(template) })
}

/// Labels of a prompt.
///
/// # Errors
/// What `preprocess_llama_2` raises.
fn label(input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    let prompt_ids = input.prompt_ids()?;
    input.assert_style(SeparatorStyle::Llama2)?;
    let total_len = input.total_len(&prompt_ids.ids)?;
    let instruction_end = answer_mark(input.template);
    let mut round_counter = RoundCounter::new(prompt_ids, 1);
    let rounds = split_ranges(input.prompt, input.template.sep2.as_deref().unwrap_or(""));
    let stop = count_rounds(input, &mut round_counter, rounds, &instruction_end, |_, measured| {
        measured.instruction_len -= 2;
        Ok(())
    })?;
    Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
}
