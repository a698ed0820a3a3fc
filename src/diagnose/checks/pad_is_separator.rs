//! pad is the token that closes a round, so `total_len` misses every one.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::PAD_IS_SEPARATOR, title: "pad is the closing token", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::PAD_IS_SEPARATOR, || {
        "pad and the closing separator are one id: total_len counts ids that differ from pad and misses every \
         separator, so cur_len is one too large for each round"
            .to_string()
    })
}
