//! The token that stops generation is not among those that are learned.

use super::check::{ChatCheck, first_of, indices, own_ids};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::overlay::AnswerStop;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK036", title: "the EOS token is not supervised", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found = context.answers(|answer| {
        answer.supervised > 0 && matches!(answer.stop, AnswerStop::Masked(_) | AnswerStop::Absent)
    });
    let Some((facts, answer)) = found.first() else { return CheckOutcome::ok() };
    let Ok(turns) = &facts.turns else { return CheckOutcome::ok() };
    let (what, cause) = match answer.stop {
        AnswerStop::Masked(at) => (
            turns.encoded.ids.get(at).map(|id| context.token(*id)).unwrap_or_default(),
            "answers are supervised without the token that ends them, so the model is never taught to stop",
        ),
        _ => (
            "no special token".to_string(),
            "the template writes no special token behind an answer: it comes with the next message, or not at all, and \
             lies outside what is supervised",
        ),
    };
    CheckOutcome::found(Verdict::Warn, indices(found.iter().map(|(facts, _)| *facts)), cause.to_string())
        .evidence("an answer ends with", what)
        .evidence("seen in", first_of(context, &found))
        .other_strategy(context)
}
