//! Templates that take no notice of `add_generation_prompt`.

use super::check::ChatCheck;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::anatomy::MessagePart;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK050", title: "the template ignores add_generation_prompt", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(turns) = context.plain().and_then(|facts| facts.turns.as_ref().ok()) else {
        return CheckOutcome::skipped("the template does not render two plain rounds");
    };
    let Some((message, answer)) = turns.messages.iter().enumerate().rfind(|(_, m)| m.is_answer()) else {
        return CheckOutcome::ok();
    };
    if !answer.prompt.as_ref().is_some_and(|prompt| prompt.ignored) {
        return CheckOutcome::ok();
    }
    let header: Vec<usize> = turns.tokens_of(message, MessagePart::Inserted).collect();
    let text = match (header.first(), header.last()) {
        (Some(first), Some(last)) => {
            let edge = |token: &usize| turns.encoded.offsets.get(*token).copied().unwrap_or_default();
            turns.slice(edge(first).0..edge(last).1)
        }
        _ => String::new(),
    };
    if text.trim().is_empty() {
        let cause = "add_generation_prompt changes nothing; the answer follows the question directly, so training and \
                     inference agree";
        return CheckOutcome::found(Verdict::Note, Vec::new(), cause.to_string());
    }
    let cause = "add_generation_prompt changes nothing, but training text has a header before an answer: at inference \
                 the model must write it itself";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("missing at inference", format!("{text:?}"))
}
