//! Answers of which only a part is learned.

use super::check::{ChatCheck, first_of, indices, own_ids};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::IGNORE_INDEX;
use crate::masks::anatomy::MessagePart;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK053", title: "parts of supervised answers are masked", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found = context.answers(|answer| answer.body_masked > 0);
    let Some((facts, answer)) = found.first() else { return CheckOutcome::ok() };
    let (Ok(turns), Ok(masked)) = (&facts.turns, &facts.masked) else { return CheckOutcome::ok() };
    let hidden = |token: &usize| masked.labels.get(*token) == Some(&IGNORE_INDEX);
    let tokens: Vec<String> = turns
        .tokens_of(answer.message, MessagePart::Body)
        .filter(hidden)
        .filter_map(|token| turns.encoded.ids.get(token))
        .take(6)
        .map(|id| context.token(*id))
        .collect();
    let cause = "some tokens of an answer's own text, or of its tool calls, are masked while others are \
                 in: a boundary is off, or the strategy looks at the content only";
    CheckOutcome::found(Verdict::Warn, indices(found.iter().map(|(facts, _)| *facts)), cause.to_string())
        .evidence("masked", format!("{} tokens: {}", answer.body_masked, tokens.join(" ")))
        .evidence("seen in", first_of(context, &found))
        .other_strategy(context)
}
