//! Text that the vocabulary cannot express.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::TokenId;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK049", title: "the rendered text holds unknown tokens", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let surface = context.plan.method.special_tokens.get("unk_token").and_then(serde_json::Value::as_str);
    let Some((surface, unk)) = surface.and_then(|text| Some((text, context.plan.encoder.token_to_id(text)?)))
    else {
        return CheckOutcome::skipped("the tokenizer has no unk token");
    };
    let found = context.that(|facts| first_unknown(facts, unk).is_some());
    let probe = context.plain().and_then(|facts| first_unknown(facts, unk));
    let Some(text) = found.first().and_then(|facts| first_unknown(facts, unk)).or(probe) else {
        return CheckOutcome::ok();
    };
    if text == surface {
        return CheckOutcome::ok();
    }
    let cause = "a piece of the rendered text has no token of its own and becomes unk: the model cannot tell it from any \
                 other unknown text";
    CheckOutcome::found(Verdict::Warn, indices(found.iter().copied()), cause.to_string())
        .evidence("unk", context.token(unk))
        .evidence("first text", format!("{text:?}"))
        .evidence("samples", format!("{} of {}", found.len(), context.samples.len()))
}

/// The text of the first unknown token.
fn first_unknown(facts: &Facts, unk: TokenId) -> Option<String> {
    let turns = facts.turns.as_ref().ok()?;
    let at = turns.encoded.ids.iter().position(|id| *id == unk)?;
    let (start, end) = turns.encoded.offsets.get(at).copied()?;
    Some(turns.slice(start..end))
}
