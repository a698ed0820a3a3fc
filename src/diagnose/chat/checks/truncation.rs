//! Answers that the cap on the length takes away.

use super::check::{ChatCheck, indices};
use crate::diagnose::change::Change;
use crate::diagnose::chat::context::ChatPlan;
use crate::diagnose::chat::context::{ChatContext, Facts, supervised};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::overlay::{AnswerStart, AnswerStop};

pub const CHECK: ChatCheck = ChatCheck { id: "MSK047", title: "truncation removes answers", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(max) = context.plan.max_length else {
        return CheckOutcome::skipped("nothing is cut: no max_length is set");
    };
    let capped = context.that(|facts| facts.uncut.is_some());
    let emptied = context.that(|facts| {
        let now = facts.masked.as_ref().is_ok_and(|masked| supervised(masked) == 0);
        now && facts.uncut.as_ref().is_some_and(|masked| supervised(masked) > 0)
    });
    let cut = context.that(|facts| loses_answer(facts) || loses_tokens(facts));
    let share = format!("{} of {} samples reach {max} tokens", capped.len(), context.samples.len());
    if cut.is_empty() && emptied.is_empty() {
        return CheckOutcome::ok();
    }
    let longest =
        capped.iter().filter_map(|facts| Some(facts.uncut.as_ref()?.input_ids.len())).max().unwrap_or(max);
    let change = Change::MaxLength(longest);
    let plan = ChatPlan { max_length: Some(longest), ..context.plan };
    let fix =
        context.tried(plan, change, format!("max_length={longest}   # or leave out the longest samples"));
    let (verdict, cause, samples) = match emptied.is_empty() {
        false => (
            Verdict::Error,
            "no supervised token is left because the prompt fills max_length: the markers or tags are not at fault",
            emptied.clone(),
        ),
        true => {
            (Verdict::Warn, "an answer or its EOS token lies behind max_length and is never supervised", cut)
        }
    };
    CheckOutcome::found(verdict, indices(samples), cause.to_string())
        .evidence("at the cap", share)
        .evidence("no supervised token left", emptied.len().to_string())
        .with_fix(fix)
}

fn loses_answer(facts: &Facts) -> bool {
    facts.uncut.is_some()
        && facts.overlay.as_ref().is_some_and(|overlay| {
            overlay
                .answers
                .iter()
                .any(|answer| answer.start == AnswerStart::Cut || answer.stop == AnswerStop::Cut)
        })
}

fn loses_tokens(facts: &Facts) -> bool {
    let now = facts.masked.as_ref().map_or(0, supervised);
    facts.uncut.as_ref().is_some_and(|masked| supervised(masked) > now)
}
