//! Masks that are empty, full, or run on to the end of the conversation.

use super::check::{ChatCheck, for_inference, indices};
use crate::diagnose::chat::context::{ChatContext, Facts, supervised};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::IGNORE_INDEX;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK037", title: "nothing, everything, or all up to the end is supervised", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = for_inference(context) {
        return skipped;
    }
    let empty = context.that(|facts| facts.has_answer && facts.uncut.is_none() && learned(facts) == Some(0));
    let full = context.that(|facts| fills(facts) && has_others(facts));
    let spilled = context.that(|facts| runs_on(facts) && !fills(facts));
    let (verdict, cause) = match (empty.is_empty(), full.is_empty(), spilled.is_empty()) {
        (true, true, true) => return CheckOutcome::ok(),
        (false, _, _) => (Verdict::Error, "not a single token of these conversations is supervised"),
        (_, false, _) => (Verdict::Warn, "every token is supervised, the questions and the system text too"),
        _ => {
            (Verdict::Warn, "from one answer on everything is supervised up to the end, later questions too")
        }
    };
    let mut samples = indices([&empty, &full, &spilled].into_iter().flatten().copied());
    if !empty.is_empty() {
        samples = indices(empty.iter().copied());
    }
    let first = [&empty, &full, &spilled].into_iter().flatten().next();
    let note =
        first.and_then(|facts| facts.masked.as_ref().ok()?.notes.first()).map(|note| note.text.clone());
    let outcome = CheckOutcome::found(verdict, samples, cause.to_string())
        .evidence("no supervised tokens", format!("{} of {}", empty.len(), context.samples.len()))
        .evidence("all supervised", full.len().to_string())
        .evidence("supervised up to the end", spilled.len().to_string());
    let outcome = match note {
        Some(note) => outcome.evidence("the strategy notes", note),
        None => outcome,
    };
    outcome.other_strategy(context)
}

fn learned(facts: &Facts) -> Option<usize> {
    facts.masked.as_ref().ok().map(supervised)
}

fn fills(facts: &Facts) -> bool {
    facts
        .masked
        .as_ref()
        .is_ok_and(|masked| supervised(masked) == masked.labels.len() && !masked.labels.is_empty())
}

fn has_others(facts: &Facts) -> bool {
    facts
        .turns
        .as_ref()
        .is_ok_and(|turns| turns.messages.iter().any(|m| !m.is_answer() && !m.block.is_empty()))
}

/// The last span covers the end and a whole message that is no answer.
fn runs_on(facts: &Facts) -> bool {
    let (Ok(turns), Ok(masked)) = (&facts.turns, &facts.masked) else { return false };
    if masked.input_ids != turns.encoded.ids {
        return false;
    }
    let tail = masked.labels.iter().rev().take_while(|label| **label != IGNORE_INDEX).count();
    let from = masked.labels.len() - tail;
    let others = turns.messages.iter().filter(|message| !message.is_answer());
    others
        .map(|message| turns.tokens(&message.block))
        .any(|tokens| !tokens.is_empty() && tokens.start >= from)
}
