//! Turns without text.

use super::{Check, Context, Outcome};
use crate::diagnose::cause::id;

pub const CHECK: Check = Check { id: id::EMPTY_TURN, title: "a turn is empty", run };

fn run(context: &Context<'_>) -> Outcome {
    let present = context.indices(|facts, _| facts.content.empty_turn);
    context.content(context.lost_to(id::EMPTY_TURN), present, "an empty turn is written without its separator, so the round does not split into question and answer")
}
