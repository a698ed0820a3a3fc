//! Conversations that the training code refuses.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;

pub const CHECK: Check = Check { id: id::REFUSED, title: "the training code refuses the conversation", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let raised = context.lost_to(id::REFUSED);
    if raised.is_empty() {
        return CheckOutcome::ok();
    }
    let fix = context.tried(Fix::new(vec![Change::Drop(raised.clone())]), &raised);
    let cause = "two turns in a row have one speaker (AssertionError), a speaker is neither human nor gpt (KeyError), or a \
                 turn has two videos (ValueError): the data set class swallows the exception and trains on a random \
                 other sample instead";
    let exceptions = context.exceptions(&raised).join(", ");
    CheckOutcome::found(Verdict::Warn, raised, cause.to_string()).evidence("raised", exceptions).with_fix(fix)
}
