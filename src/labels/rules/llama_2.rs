//! The rule of Llama-2 templates: rounds end at sep2, instructions at `[/INST] `.

use super::{RuleInput, count_rounds, split_ranges};
use crate::chat::SeparatorStyle;
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError, Rule};

/// Labels of a prompt.
///
/// # Errors
/// What `preprocess_llama_2` raises.
pub fn label(input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    let prompt_ids = input.prompt_ids()?;
    input.assert_style(SeparatorStyle::Llama2)?;
    let total_len = input.total_len(&prompt_ids.ids)?;
    let instruction_end = Rule::Llama2.answer_mark(input.template);
    let mut round_counter = RoundCounter::new(prompt_ids, 1);
    let rounds = split_ranges(input.prompt, input.template.sep2.as_deref().unwrap_or(""));
    let stop = count_rounds(input, &mut round_counter, rounds, &instruction_end, |_, measured| {
        measured.instruction_len -= 2;
        Ok(())
    })?;
    Ok(round_counter.finish(total_len, input.options.model_max_length, stop))
}
