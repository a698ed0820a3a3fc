//! `cur_len` starts at the wrong place: the customization guide taken literally does this.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::START, title: "cur_len starts at the wrong number", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::START, || {
        let literal = context.setup.labelling.rule.two().is_some_and(|two| two.image != two.text);
        let why = if literal {
            "; the guide changes only the two lines of the image branch and leaves cur_len and the text branch as they were"
        } else {
            ""
        };
        format!("the rule starts to count at a number that is not the {} ids before the first round{why}", context.probe.bos)
    })
}
