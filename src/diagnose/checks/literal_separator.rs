//! The closing separator stands inside a text.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::LITERAL_SEPARATOR, title: "the separator stands inside a turn", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let present = context.indices(|facts, _| facts.content.literal_closing);
    context.content(
        context.lost_to(id::LITERAL_SEPARATOR),
        present,
        "the text that closes a round stands inside a turn, so the prompt is cut there as well",
    )
}
