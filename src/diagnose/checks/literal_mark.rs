//! The text that opens an answer stands inside a text.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::LITERAL_MARK, title: "the answer's mark stands inside a turn", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let present = context.indices(|facts, _| facts.content.literal_mark);
    context.content(
        context.lost_to(id::LITERAL_MARK),
        present,
        "the text that opens an answer stands inside a turn, so its round splits into more than two parts",
    )
}
