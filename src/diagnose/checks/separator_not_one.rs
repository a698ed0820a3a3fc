//! The closing separator is several ids, which melt with their neighbours.

use super::check::{Check, CheckOutcome};
use crate::diagnose::alignment::tokens_of;
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::SEPARATOR_NOT_ONE, title: "the closing separator is not one token", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if !context.counts() {
        return CheckOutcome::skipped("this rule does not count rounds");
    }
    if context.probe.closing_is_one {
        return CheckOutcome::ok();
    }
    let ids: Vec<i64> = context.probe.closing_ids.iter().map(|id| i64::from(*id)).collect();
    let tokens: Vec<String> = tokens_of(&context.setup.tokenizer, &ids)
        .iter()
        .map(|t| format!("{:?} ({})", t.text, t.id))
        .collect();
    context
        .structural(id::SEPARATOR_NOT_ONE, || {
            format!(
                "{:?} is no token of this tokenizer: its {} pieces melt with the text beside them",
                context.closing(),
                ids.len()
            )
        })
        .evidence("separator alone", tokens.join(" "))
}
