//! Generation tags where transformers counts their place wrongly: in a macro, a `set` or filter block, or nested.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::Strategy;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK039", title: "a generation tag stands where its place is lost", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if !context.plan.has_generation_tags() {
        return CheckOutcome::skipped("the template has no {% generation %} tag");
    }
    let displaced = |facts: &crate::diagnose::chat::context::Facts| {
        facts.turns.as_ref().is_ok_and(|turns| turns.generation.iter().any(|span| span.displaced))
    };
    let found = context.that(displaced);
    let probe = context.plain().filter(|facts| displaced(facts));
    let Some(first) = found.first().copied().or(probe) else { return CheckOutcome::ok() };
    let Some((turns, span)) = first
        .turns
        .as_ref()
        .ok()
        .and_then(|turns| Some((turns, turns.generation.iter().find(|span| span.displaced)?)))
    else {
        return CheckOutcome::ok();
    };
    let cause = "the tag stands inside a macro, a set or filter block, or another tag; transformers counts only text that \
                 was written before it at the top level, so its span is not where its text is";
    let used = context.plan.strategy == Strategy::HfGeneration;
    let verdict = if used { Verdict::Error } else { Verdict::Note };
    let there: String = turns.slice(span.chars.clone()).chars().take(60).collect();
    let outcome = CheckOutcome::found(verdict, indices(found), cause.to_string())
        .evidence("span", format!("characters {}..{}", span.chars.start, span.chars.end))
        .evidence("text at that place", format!("{there:?}"));
    if used { outcome.other_strategy(context) } else { outcome }
}
