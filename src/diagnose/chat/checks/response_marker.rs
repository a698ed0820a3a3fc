//! Markers that tokenise differently alone than in the conversation, or are not there at all.

use super::check::{ChatCheck, for_inference, indices};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK045", title: "the response marker is not found", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = for_inference(context) {
        return skipped;
    }
    let plan = &context.plan;
    if !plan.strategy.searches_ids() {
        return CheckOutcome::skipped("the strategy does not search for markers");
    }
    let found = match plan.method.markers(plan.encoder) {
        Ok(found) => found,
        Err(error) => {
            let cause = format!("no markers can be read off the template: {error}");
            return CheckOutcome::found(Verdict::Warn, Vec::new(), cause);
        }
    };
    let alone = plan.encoder.ids(&found.response).unwrap_or_default();
    let in_text =
        |facts: &Facts| facts.turns.as_ref().is_ok_and(|turns| turns.text.contains(&found.response));
    let unlearned = |facts: &Facts| {
        facts.has_answer
            && facts.uncut.is_none()
            && facts.masked.as_ref().is_ok_and(|m| crate::diagnose::chat::context::supervised(m) == 0)
    };
    let lost = context.that(|facts| in_text(facts) && unlearned(facts));
    let Some(first) = lost.first() else { return CheckOutcome::ok() };
    let in_context = first.turns.as_ref().ok().and_then(|turns| {
        let at = turns.text.find(&found.response)?;
        let start = turns.text.get(..at)?.chars().count();
        let tokens = turns.tokens(&(start..start + found.response.chars().count()));
        turns.encoded.ids.get(tokens).map(<[_]>::to_vec)
    });
    let cause = "the marker stands in the text, but its ids alone are not its ids there: text beside it joins its edges";
    CheckOutcome::found(Verdict::Error, indices(lost.iter().copied()), cause.to_string())
        .evidence("marker", format!("{:?}", found.response))
        .evidence("ids alone", format!("{alone:?}"))
        .evidence("ids in the text", format!("{:?}", in_context.unwrap_or_default()))
        .other_strategy(context)
}
