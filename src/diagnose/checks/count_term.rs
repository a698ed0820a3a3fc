//! `total_len` gets the number of separators added although pad is another token.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::COUNT_TERM, title: "separators are counted twice in total_len", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::COUNT_TERM, || {
        "the rule adds the number of separators to total_len, which is right only where pad is the separator; here pad \
         is another id, so they count twice"
            .to_string()
    })
}
