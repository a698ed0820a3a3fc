//! The rule never counts the closing separator.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::CLOSING_UNCOUNTED, title: "the closing separator is not counted", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::CLOSING_UNCOUNTED, || {
        "rounds are cut at the separator and the rule adds nothing for it, so every round is counted too short".to_string()
    })
}
