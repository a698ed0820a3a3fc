//! The space before an answer as a token of its own.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check = Check { id: "MSK032", title: "a lone space opens some answers", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let spaces = context.indices(|facts, i| {
        i.result.is_ok() && facts.mask.is_some_and(|m| m.bare_spaces > 0 && m.is_right())
    });
    if spaces.is_empty() {
        return CheckOutcome::ok();
    }
    let cause = "the space before the answer is a supervised token of its own (before a digit, an emoji and the like, or \
                 where the vocabulary has no token that begins with it); inference prompts end before that space, so this \
                 is as it should be";
    CheckOutcome::found(Verdict::Note, spaces, cause.to_string())
}
