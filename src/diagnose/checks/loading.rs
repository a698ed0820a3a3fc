//! What the release does, or cannot do, when it loads these files.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::PaddingSide;

pub const CHECK: Check = Check { id: "MSK065", title: "loading these files needs attention", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let tokenizer = &context.setup.tokenizer;
    let facts = &tokenizer.facts;
    let mut causes = tokenizer.notes.clone();
    if facts.padding_side == PaddingSide::Left {
        causes.push(format!(
            "{} pads on the left by itself; the labels shown are for padding_side=\"right\", which the training script asks for",
            facts.name
        ));
    }
    if causes.is_empty() {
        return CheckOutcome::ok();
    }
    CheckOutcome::found(Verdict::Note, Vec::new(), causes.join("; "))
        .evidence("class", facts.name.clone())
        .evidence("transformers", facts.release.name())
}
