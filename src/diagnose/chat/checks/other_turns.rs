//! Learned tokens in turns that the model does not write.

use super::check::{ChatCheck, indices, own_ids};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK042", title: "tokens of user, system or tool turns are supervised", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let leaks =
        context.that(|facts| facts.overlay.as_ref().is_some_and(|overlay| !overlay.outside.is_empty()));
    let Some((facts, overlay)) = leaks.first().and_then(|facts| Some((*facts, facts.overlay.as_ref()?)))
    else {
        return CheckOutcome::ok();
    };
    let roles = facts.turns.as_ref().map(|turns| &turns.messages);
    let spots: Vec<String> = overlay
        .outside
        .iter()
        .take(4)
        .map(|(message, count)| {
            let role = roles.ok().and_then(|roles| roles.get(*message)).map_or("", |m| m.role.as_str());
            format!("message {message} ({role}): {count} tokens")
        })
        .collect();
    let cause = "the mask reaches into turns that the model reads and never writes";
    CheckOutcome::found(Verdict::Warn, indices(leaks.iter().copied()), cause.to_string())
        .evidence("first", format!("{}: {}", facts.id, spots.join(", ")))
        .evidence("samples", format!("{} of {}", leaks.len(), context.samples.len()))
        .other_strategy(context)
}
