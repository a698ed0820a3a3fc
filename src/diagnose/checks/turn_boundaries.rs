//! The `###` fall-through: boundaries counted on pieces that were encoded alone.

use super::check::{Check, CheckOutcome};
use crate::diagnose::align;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::labels::Rule;

/// Aligning encodes every piece again: at most so many samples.
const MOST: usize = 200;

pub const CHECK: Check = Check { id: "MSK022", title: "boundaries of ### turns have drifted", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if !context.setup.labelling.rule.is(Rule::V0) {
        return CheckOutcome::skipped("the rule is not the ### fall-through");
    }
    let mut drifted = Vec::new();
    let mut first = None;
    for (index, inspection) in context.inspections.iter().enumerate().take(MOST) {
        let Some(worst) = align(&context.setup, inspection).into_iter().find(|a| a.drift != 0) else {
            continue;
        };
        drifted.push(index);
        first = first.or(Some((index, worst.round, worst.drift)));
    }
    let Some((index, piece, drift)) = first else {
        let cause = "this rule compares no lengths and leaves the first two tokens of every human turn supervised, by design; \
                     its boundaries are where they should be";
        return CheckOutcome::found(Verdict::Note, Vec::new(), cause.to_string());
    };
    let cause = "this rule encodes the header and each turn alone and compares nothing: where they are cut otherwise in \
                 the prompt, every boundary behind is off, silently";
    CheckOutcome::found(Verdict::Warn, drifted, cause.to_string())
        .evidence(
            "first",
            format!("{}: piece {piece} begins {drift:+} tokens from its place", context.name(index)),
        )
        .evidence("samples looked at", context.inspections.len().min(MOST).to_string())
}
