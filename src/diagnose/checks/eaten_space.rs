//! Whitespace beside a special token is swallowed (transformers 4.31 with plain-string special tokens).

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check =
    Check { id: id::EATEN_SPACE, title: "whitespace beside the separator is swallowed", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if !context.counts() {
        return CheckOutcome::skipped("this rule does not count rounds");
    }
    if !context.probe.strips_space {
        return CheckOutcome::ok();
    }
    let lost = context.lost_to(id::EATEN_SPACE);
    let verdict = if lost.is_empty() { Verdict::Note } else { Verdict::Error };
    let cause = "this release strips whitespace beside special tokens that are given as plain strings, so a turn that \
                 ends in a space or line break has fewer ids in the prompt than alone";
    CheckOutcome::found(verdict, lost, cause.to_string())
        .evidence("transformers", context.setup.tokenizer.facts.release.name())
        .searched(context)
}
