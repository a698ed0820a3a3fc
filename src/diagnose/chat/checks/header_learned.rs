//! Learned tokens that the generation prompt gives at inference.

use super::check::{ChatCheck, first_of, indices, own_ids};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::overlay::AnswerStart;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK040", title: "tokens of the generation prompt are supervised", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found = context.answers(|answer| matches!(answer.start, AnswerStart::Early(_)));
    let Some((facts, answer)) = found.first() else { return CheckOutcome::ok() };
    let (Ok(turns), AnswerStart::Early(count)) = (&facts.turns, answer.start) else {
        return CheckOutcome::ok();
    };
    let ids =
        turns.encoded.ids.get(answer.generates.saturating_sub(count)..answer.generates).unwrap_or_default();
    let tokens: Vec<String> = ids.iter().take(6).map(|id| context.token(*id)).collect();
    let cause = "supervision begins before the generation prompt ends: the model is taught to write its own header, and may \
                 repeat it in its answers";
    CheckOutcome::found(Verdict::Warn, indices(found.iter().map(|(facts, _)| *facts)), cause.to_string())
        .evidence("supervised before the prompt ends", tokens.join(" "))
        .evidence("seen in", first_of(context, &found))
        .other_strategy(context)
}
