//! Answers that truncation takes away.

use super::check::{Check, CheckOutcome};
use crate::chat::Speaker;
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::diagnose::layout::turns;

pub const CHECK: Check = Check { id: "MSK019", title: "answers are truncated", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let most = context.setup.labelling.options.model_max_length;
    let mut cut = Vec::new();
    let mut none_left = Vec::new();
    for (index, inspection) in context.inspections.iter().enumerate() {
        let Ok(labelled) = &inspection.result else { continue };
        if labelled.input_ids.len() < most {
            continue;
        }
        let reached = labelled.spans.get(..most).and_then(<[_]>::last).map_or(0, |s| s.end);
        let turns = turns(&context.setup, inspection).unwrap_or_default();
        let mut answers = turns.iter().filter(|t| t.speaker == Speaker::Assistant);
        if answers.clone().any(|t| t.whole.end > reached) {
            if answers.all(|t| t.content.start >= reached) {
                none_left.push(index);
            }
            cut.push(index);
        }
    }
    if cut.is_empty() {
        return CheckOutcome::ok();
    }
    let cause = "the sample is longer than model_max_length: an answer or its EOS token lies behind the cut and is never supervised";
    let fix = match none_left.is_empty() {
        true => None,
        false => context.tried(Fix::new(vec![Change::Drop(none_left.clone())]), &none_left),
    };
    CheckOutcome::found(Verdict::Warn, cut, cause.to_string())
        .evidence("model_max_length", most.to_string())
        .evidence("samples without any answer left", none_left.len().to_string())
        .with_fix(fix)
}
