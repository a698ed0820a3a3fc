//! Texts that the tokenizer raises on: a token without an id, or a failure of its own library.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;

pub const CHECK: Check = Check { id: id::CANNOT_ENCODE, title: "a text cannot be encoded", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let raised = context.lost_to(id::CANNOT_ENCODE);
    if raised.is_empty() {
        return CheckOutcome::ok();
    }
    let fix = context.tried(Fix::new(vec![Change::Drop(raised.clone())]), &raised);
    let cause = "the tokenizer raises on the text (a token that stands in it has no id, or its library fails): the data \
                 set class swallows the exception and resamples";
    let exceptions = context.exceptions(&raised).join(", ");
    CheckOutcome::found(Verdict::Error, raised, cause.to_string())
        .evidence("raised", exceptions)
        .with_fix(fix)
}
