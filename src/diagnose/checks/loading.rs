//! What the release does, or cannot do, when it loads these files.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::PaddingSide;

pub const CHECK: Check = Check { id: "MSK065", title: "loading these files needs attention", run };

/// Tokens with two ids that are listed.
const LISTED: usize = 4;

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
    let conflicts = context.id_conflicts();
    causes.extend(conflicts.iter().take(LISTED).map(|conflict| {
        let used = conflict.used.map_or_else(|| "none".to_string(), |id| id.to_string());
        format!(
            "two files give {} different ids ({}), and {used} is used here",
            conflict.token,
            conflict.claimed()
        )
    }));
    if causes.is_empty() {
        return CheckOutcome::ok();
    }
    let verdict = if conflicts.is_empty() { Verdict::Note } else { Verdict::Warn };
    CheckOutcome::found(verdict, Vec::new(), causes.join("; "))
        .evidence("class", facts.name.clone())
        .evidence("transformers", facts.release.name())
}
