//! Answers end with a token that does not stop generation.

use super::{Check, Context, Outcome, Verdict};
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK012", title: "answers do not end with eos", run };

fn run(context: &Context<'_>) -> Outcome {
    if !context.counts() {
        return Outcome::skipped("this rule has no closing separator");
    }
    let tokenizer = &context.setup.tokenizer;
    let Some(eos) = tokenizer.special.get(Role::Eos) else {
        return Outcome::found(
            Verdict::Warn,
            Vec::new(),
            "the tokenizer names no eos, so nothing stops generation".to_string(),
        )
        .evidence("separator", context.closing())
        .searched(context);
    };
    if eos.content == context.closing() {
        return Outcome::ok();
    }
    let cause = "the model learns to end answers with the separator, but generation stops at eos";
    Outcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("separator", context.closing())
        .evidence("eos", eos.content.clone())
        .searched(context)
}
