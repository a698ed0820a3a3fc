//! Texts that the tokenizer raises on: a token without an id, or a failure of its own library.

use super::{Check, Context, Outcome, Verdict};
use crate::diagnose::cause::id;
use crate::diagnose::fix::{Change, Fix};

pub const CHECK: Check = Check { id: id::CANNOT_ENCODE, title: "a text cannot be encoded", run };

fn run(context: &Context<'_>) -> Outcome {
    let raised = context.lost_to(id::CANNOT_ENCODE);
    if raised.is_empty() {
        return Outcome::ok();
    }
    let fix = context.tried(Fix::new(vec![Change::Drop(raised.clone())]), &raised);
    let cause = "the tokenizer raises on the text (a token that stands in it has no id, or its library fails): the data \
                 set class swallows the exception and trains on a random other sample instead";
    let exceptions = context.exceptions(&raised).join(", ");
    Outcome::found(Verdict::Error, raised, cause.to_string()).evidence("raised", exceptions).with_fix(fix)
}
