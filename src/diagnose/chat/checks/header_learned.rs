//! Learned tokens that the generation prompt gives at inference.

use super::{ChatCheck, ChatContext, Outcome, Verdict, first_of, indices, own_ids};
use crate::masks::overlay::AnswerStart;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK040", title: "tokens of the generation prompt are learned", run };

fn run(context: &ChatContext<'_>) -> Outcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found = context.answers(|answer| matches!(answer.start, AnswerStart::Early(_)));
    let Some((facts, answer)) = found.first() else { return Outcome::ok() };
    let (Ok(turns), AnswerStart::Early(count)) = (&facts.turns, answer.start) else { return Outcome::ok() };
    let ids =
        turns.encoded.ids.get(answer.generates.saturating_sub(count)..answer.generates).unwrap_or_default();
    let tokens: Vec<String> = ids.iter().take(6).map(|id| context.token(*id)).collect();
    let cause = "learning begins before the generation prompt ends: the model is taught to write its own header, and may \
                 repeat it in its answers";
    Outcome::found(Verdict::Warn, indices(found.iter().map(|(facts, _)| *facts)), cause.to_string())
        .evidence("learned before the prompt ends", tokens.join(" "))
        .evidence("seen in", first_of(context, &found))
        .other_strategy(context)
}
