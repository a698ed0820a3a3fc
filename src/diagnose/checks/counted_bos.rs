//! bos counted once a round: a rule for tokenizers without bos on one that puts it first.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;

pub const CHECK: Check = Check { id: id::COUNTED_BOS, title: "bos counted in every round", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    context.structural(id::COUNTED_BOS, || {
        format!(
            "the tokenizer puts {} id before every text, so each round encoded alone brings its own bos, and the rule \
             counts it besides the separator",
            context.probe.bos
        )
    })
}
