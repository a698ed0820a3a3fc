//! Generation prompts that write more than training text has there.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::anatomy::MessageAnatomy;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK051", title: "training text lacks what the generation prompt writes", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let found = context.that(|facts| first_missing(facts).is_some());
    let Some((facts, (message, missing))) =
        found.first().and_then(|facts| Some((*facts, first_missing(facts)?)))
    else {
        return CheckOutcome::ok();
    };
    let last = context.that(|facts| {
        let answers = facts.turns.as_ref().ok().map(|turns| &turns.messages);
        answers.and_then(|messages| messages.iter().rfind(|m| m.is_answer())).is_some_and(lacks)
    });
    let cause = if last.is_empty() {
        "earlier answers lack what the prompt of their own turn would have given; the last answer agrees"
    } else {
        "inference goes on from a prompt that ends in this text, and training text does not have it there: the model is \
         trained on a seam that it never meets"
    };
    let verdict = if last.is_empty() { Verdict::Note } else { Verdict::Warn };
    CheckOutcome::found(verdict, indices(found.iter().copied()), cause.to_string())
        .evidence("only in the prompt", format!("{missing:?}"))
        .evidence("first", format!("{}, message {message}", facts.id))
        .evidence("samples", format!("{} of {}", found.len(), context.samples.len()))
}

fn lacks(message: &MessageAnatomy) -> bool {
    message.prompt.as_ref().is_some_and(|prompt| !prompt.missing.is_empty() && !message.block.is_empty())
}

fn first_missing(facts: &Facts) -> Option<(usize, &str)> {
    facts.turns.as_ref().ok()?.first_missing()
}
