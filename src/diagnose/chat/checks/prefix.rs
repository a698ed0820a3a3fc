//! Templates that render history otherwise than the end of a conversation.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::anatomy::Divergence;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK043", title: "the template renders prefixes otherwise than the whole", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let found = context.that(|facts| divergence(facts).is_some());
    let Some((facts, (message, first))) = found.first().and_then(|facts| Some((*facts, divergence(facts)?)))
    else {
        return CheckOutcome::ok();
    };
    let subtracts = context.plan.strategy.subtracts_prefixes();
    let wrong = subtracts.then(|| context.that(|facts| divergence(facts).is_some() && is_wrong(facts)));
    let hurt = wrong.as_ref().is_some_and(|wrong| !wrong.is_empty());
    let thought = first.alone.contains("<think>") || first.whole.contains("<think>");
    let what = if thought {
        "a thought of an earlier answer is left out of, or added to, the history"
    } else {
        "history is written differently"
    };
    let (verdict, cause) = match (hurt, subtracts) {
        (true, _) => (
            Verdict::Error,
            format!(
                "{what}, so the length of a prefix is no position in the whole, and this strategy takes it for one"
            ),
        ),
        (false, true) => {
            (Verdict::Note, format!("{what}; this strategy got these samples right all the same"))
        }
        (false, false) => (
            Verdict::Note,
            format!(
                "{what}: earlier answers are supervised in another form than the model gave them in; this strategy's mask \
                     does not depend on prefixes"
            ),
        ),
    };
    let samples = indices(wrong.filter(|wrong| !wrong.is_empty()).unwrap_or_else(|| found.clone()));
    let outcome = CheckOutcome::found(verdict, samples, cause)
        .evidence("first", format!("{}: up to message {message}, character {}", facts.id, first.at))
        .evidence("the prefix has", format!("{:?}", first.alone))
        .evidence("the whole has", format!("{:?}", first.whole));
    if hurt { outcome.other_strategy(context) } else { outcome }
}

/// The first message whose prefix parts before its end; a closing token alone is not one of them.
fn divergence(facts: &Facts) -> Option<(usize, &Divergence)> {
    let turns = facts.turns.as_ref().ok()?;
    let (index, divergence) = turns.first_divergence()?;
    // What differs at the very end of the prefix alone is how a conversation closes.
    turns.messages.get(index).filter(|message| divergence.at < message.block.end).map(|_| (index, divergence))
}

fn is_wrong(facts: &Facts) -> bool {
    facts.masked.is_err() || facts.overlay.as_ref().is_some_and(|overlay| !overlay.is_right())
}
