//! Text behind a special token is cut otherwise than alone (`legacy=false`).

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check =
    Check { id: id::JOIN, title: "text behind the separator is cut otherwise than alone", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::JOIN, || {
        let legacy = match context.setup.tokenizer.facts.legacy {
            Some(legacy) => format!(" (legacy = {})", if legacy { "True" } else { "False" }),
            None => String::new(),
        };
        format!(
            "behind the separator the next round's first word has {} ids fewer than alone: this tokenizer adds no \
             space piece there{legacy}",
            context.probe.join
        )
    })
}
