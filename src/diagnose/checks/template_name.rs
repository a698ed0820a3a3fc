//! The template that every unknown `--version` silently becomes.

use super::{Check, Context, Outcome, Verdict};
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK001", title: "vicuna_v1 may not be what was asked for", run };

fn run(context: &Context<'_>) -> Outcome {
    if context.plan.setup.template.name != "vicuna_v1" {
        return Outcome::ok();
    }
    let tokenizer = &context.plan.setup.tokenizer;
    if tokenizer.special.get(Role::Eos).is_some_and(|eos| eos.content == context.closing()) {
        return Outcome::ok();
    }
    let cause = "the training script silently takes vicuna_v1 for every --version that it does not know (also for v0 and \
                 v0.5), and this tokenizer's eos is not that template's separator";
    Outcome::found(Verdict::Warn, Vec::new(), cause.to_string()).searched(context)
}
