//! The conversation ends on a question.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::ENDS_ON_USER, title: "the conversation ends on a question", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let present = context.indices(|facts, _| facts.content.ends_on_user);
    context.content(context.lost_to(id::ENDS_ON_USER), present, "the last turn has no answer: its round does not split in two, and all earlier rounds are discarded with it")
}
