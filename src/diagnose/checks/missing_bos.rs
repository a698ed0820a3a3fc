//! A rule for tokenizers that put bos first, on one that does not.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::MISSING_BOS, title: "the rule counts on a bos that is not there", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::MISSING_BOS, || {
        "the tokenizer puts no bos first, so a round encoded alone lacks the id that the rule lets stand for the \
         separator; one round passes by accident, as cur_len starts at 1"
            .to_string()
    })
}
