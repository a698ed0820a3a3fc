//! Turns without text.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::EMPTY_TURN, title: "a turn is empty", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let present = context.indices(|facts, _| facts.content.empty_turn);
    context.content(context.lost_to(id::EMPTY_TURN), present, "an empty turn is written without its separator, so the round does not split into question and answer")
}
