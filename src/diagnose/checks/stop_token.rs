//! Answers end with a token that does not stop generation.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK012", title: "answers do not end with eos", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if !context.counts() {
        return CheckOutcome::skipped("this rule has no closing separator");
    }
    let tokenizer = &context.setup.tokenizer;
    let Some(eos) = tokenizer.special.get(Role::Eos) else {
        return CheckOutcome::found(
            Verdict::Warn,
            Vec::new(),
            "the tokenizer names no eos, so nothing stops generation".to_string(),
        )
        .evidence("separator", context.closing())
        .searched(context);
    };
    if eos.content == context.closing() {
        return CheckOutcome::ok();
    }
    let cause = "the model learns to end answers with the separator, but generation stops at eos";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("separator", context.closing())
        .evidence("eos", eos.content.clone())
        .searched(context)
}
