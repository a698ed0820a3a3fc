//! Conversations that the template or the trainer refuses.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::MaskError;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK052", title: "the trainer raises or drops conversations", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let failed = context.that(|facts| facts.masked.is_err());
    let Some((facts, error)) = failed.first().and_then(|facts| Some((*facts, facts.masked.as_ref().err()?)))
    else {
        return CheckOutcome::ok();
    };
    let cause = match error {
        MaskError::Unfit(_) => "the strategy cannot be used with this vocabulary or template",
        MaskError::Template(_) => "the template refuses the conversation, so no text comes of it",
        MaskError::Dropped(_) => "the trainer leaves the row out, with a warning in its log at most",
        MaskError::Python(_) | MaskError::Tokenizer(_) => "the trainer raises, or drops the row",
    };
    CheckOutcome::found(Verdict::Error, indices(failed.iter().copied()), cause.to_string())
        .evidence("first", format!("{}: {error}", facts.id))
        .evidence("samples", format!("{} of {}", failed.len(), context.samples.len()))
        .other_strategy(context)
}
