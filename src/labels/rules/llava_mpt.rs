//! Newer LLaVA's `preprocess_mpt`: bos is taken off the instruction, later rounds of a legacy tokenizer get one more.

use super::RuleInput;
use super::arithmetic::Arithmetic;
use super::mpt::{answer_mark, label_rounds};
use super::rule_facts::{Counting, RoundRule, RuleFacts, TrainingCode, never};
use crate::chat::Template;
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::Tokenizer;

pub static RULE: RuleFacts = RuleFacts {
    name: "llava_mpt",
    aliases: &[],
    summary: "newer LLaVA: one more in later rounds when the tokenizer is legacy",
    runs_for: never,
    counting: Counting::Rounds(RoundRule { label, answer_mark, arithmetic }),
    code: TrainingCode { function: None, also: "" },
};

/// Whether later rounds get one more.
fn corrects(tokenizer: &Tokenizer) -> bool {
    tokenizer.facts.legacy == Some(true) && tokenizer.joins_after_special()
}

fn arithmetic(tokenizer: &Tokenizer, template: &Template) -> Option<Arithmetic> {
    Some(Arithmetic { later: i64::from(corrects(tokenizer)), ..Arithmetic::plain(template) })
}

/// Labels of a prompt.
///
/// # Errors
/// What the Python function raises.
fn label(input: RuleInput<'_>) -> Result<Labelled, PythonError> {
    label_rounds(
        input,
        |_| Ok(0),
        |_, index, measured| {
            let later = i64::from(index > 0 && corrects(input.tokenizer));
            measured.round_len += later;
            measured.instruction_len += later - 1;
            Ok(())
        },
    )
}
