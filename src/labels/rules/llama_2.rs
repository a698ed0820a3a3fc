//! The rule of Llama-2 templates: rounds end at sep2, instructions at `[/INST] `.

use super::{RuleInput, split_ranges};
use crate::chat::SeparatorStyle;
use crate::labels::ledger::{Ledger, Measured};
use crate::labels::{Labelled, PythonError, Rule, Stop};

/// Labels of a prompt.
///
/// # Errors
/// What `preprocess_llama_2` raises.
pub fn label(input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    let prompt_ids = input.prompt_ids()?;
    input.assert_style(SeparatorStyle::Llama2)?;
    let total_len = input.total_len(&prompt_ids.ids)?;
    let instruction_end = Rule::Llama2.answer_mark(input.template);
    let mut ledger = Ledger::new(prompt_ids, 1);
    let mut stop = Stop::End;
    for range in split_ranges(input.prompt, input.template.sep2.as_deref().unwrap_or("")) {
        let round = input.prompt.get(range.clone()).unwrap_or("");
        if round.is_empty() {
            stop = Stop::EmptyRound { round: ledger.rounds() };
            break;
        }
        let parts = split_ranges(round, &instruction_end);
        let [instruction, _] = parts.as_slice() else {
            stop = Stop::Parts { round: ledger.rounds(), parts: parts.len() };
            break;
        };
        let end = instruction.end + instruction_end.len();
        ledger.add_round(Measured {
            round_len: input.measure(round)?,
            instruction_len: input.measure(round.get(..end).unwrap_or(round))? - 2,
            instruction_text: range.start..range.start + end,
            text: range,
        });
    }
    Ok(ledger.finish(total_len, input.options.model_max_length, stop))
}
