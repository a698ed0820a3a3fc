//! Newer LLaVA's correction for `legacy`, where it does not fit.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check =
    Check { id: id::LEGACY_CORRECTION, title: "the correction for legacy does not fit", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let raised = context.lost_to(id::LEGACY_CORRECTION);
    let raises = |i: &usize| context.inspections.get(*i).is_some_and(|inspection| inspection.result.is_err());
    if raised.iter().any(raises) {
        let class = &context.setup.tokenizer.facts.name;
        let cause = format!(
            "the rule asks for tokenizer.legacy, which {class} does not have: every later round raises"
        );
        return CheckOutcome::found(Verdict::Error, raised, cause).searched(context);
    }
    context.structural(id::LEGACY_CORRECTION, || {
        "the rule takes one off later rounds, but this tokenizer cuts text behind the separator as it does alone".to_string()
    })
}
