//! Answers of unusual shape: a rule with fixed offsets can lose their first or last token.

use super::check::{Check, CheckOutcome};
use crate::chat::Sample;
use crate::diagnose::context::Context;
use crate::diagnose::delta_fit::conversation;
use crate::diagnose::finding::Verdict;
use crate::diagnose::what_if::label_verdict;

pub const CHECK: Check = Check { id: "MSK061", title: "answers of some shapes lose tokens", run };

/// Texts around a plain answer that tokenizers join with what stands beside them.
const SHAPES: [(&str, &str, &str); 13] = [
    ("a line break first", "\n", ""),
    ("two line breaks first", "\n\n", ""),
    ("a space first", " ", ""),
    ("a tab first", "\t", ""),
    ("a digit first", "7", ""),
    ("a bracket first", "(", ""),
    ("a quotation mark first", "\"", ""),
    ("a minus sign first", "-", ""),
    ("Chinese first", "\u{4f60}\u{597d}", ""),
    ("an emoji first", "\u{1f68c}", ""),
    ("a space last", "", " "),
    ("a line break last", "", "\n"),
    ("an emoji last", "", "\u{1f68c}"),
];

fn run(context: &Context<'_>) -> CheckOutcome {
    if !context.counts() {
        return CheckOutcome::skipped("this rule does not count rounds");
    }
    let is_right = |sample: &Sample| label_verdict(&context.setup, &context.setup.inspect(sample)).is_right();
    if !is_right(&conversation(2, false)) {
        return CheckOutcome::skipped("plain answers go wrong already, so there is nothing to compare with");
    }
    let wrong: Vec<&str> = SHAPES
        .iter()
        .filter(|(_, head, tail)| {
            let mut sample = conversation(2, false);
            for turn in sample.conversations.iter_mut().filter(|turn| turn.from == "gpt") {
                turn.value = format!("{head}Two cats{tail}");
            }
            !is_right(&sample)
        })
        .map(|(name, ..)| *name)
        .collect();
    if wrong.is_empty() {
        return CheckOutcome::ok();
    }
    let cause = "plain answers come out right, but with these at their edge an answer is encoded otherwise beside the \
                 template's text than alone, and the rule's offsets do not fit any more";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("goes wrong with", wrong.join(", "))
        .evidence("shapes tried", SHAPES.len().to_string())
        .searched(context)
}
