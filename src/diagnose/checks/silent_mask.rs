//! Masks that are wrong although no warning is printed.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check = Check { id: "MSK030", title: "a mask is wrong and nothing says so", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let wrong = context.indices(|facts, inspection| {
        let kept = inspection.result.as_ref().is_ok_and(|l| !l.mismatch);
        kept && facts.mask.is_some_and(|mask| !mask.is_right())
    });
    let Some(mask) = wrong.first().and_then(|i| context.facts.get(*i)?.mask) else {
        return CheckOutcome::ok();
    };
    let name = wrong.first().map_or("", |i| context.name(*i));
    let cause = "lengths agree or are not compared, but the supervised tokens are not the answers and their stop tokens";
    CheckOutcome::found(Verdict::Warn, wrong.clone(), cause.to_string())
        .evidence(
            "first",
            format!("{name}: {} tokens of answers masked, {} others supervised", mask.missing, mask.leaked),
        )
        .searched(context)
}
