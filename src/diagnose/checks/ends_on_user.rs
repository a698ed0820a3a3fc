//! The conversation ends on a question.

use super::{Check, Context, Outcome};
use crate::diagnose::cause::id;

pub const CHECK: Check = Check { id: id::ENDS_ON_USER, title: "the conversation ends on a question", run };

fn run(context: &Context<'_>) -> Outcome {
    let present = context.indices(|facts, _| facts.content.ends_on_user);
    context.content(context.lost_to(id::ENDS_ON_USER), present, "the last turn has no answer: its round does not split in two, and all earlier rounds are thrown away with it")
}
