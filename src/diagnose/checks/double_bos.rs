//! bos twice in front.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK033", title: "bos stands twice in front", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let Some(bos) = context.setup.tokenizer.role_id(Role::Bos).map(i64::from) else {
        return CheckOutcome::skipped("the tokenizer has no bos");
    };
    let twice = context.indices(|_, i| i.result.as_ref().is_ok_and(|l| l.input_ids.starts_with(&[bos, bos])));
    if twice.is_empty() {
        return CheckOutcome::ok();
    }
    let cause = "the prompt writes bos and the tokenizer adds its own";
    CheckOutcome::found(Verdict::Warn, twice, cause.to_string()).evidence("bos", context.role_text(Role::Bos))
}
