//! Rounds that are cut otherwise alone than in the prompt, for no reason known here.

use super::check::{Check, CheckOutcome};
use crate::diagnose::align;
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check =
    Check { id: id::PIECES_DIFFER, title: "a round is cut otherwise alone than in the prompt", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let lost = context.lost_to(id::PIECES_DIFFER);
    let Some(first) = lost.first().copied() else { return CheckOutcome::ok() };
    let aligned = context.inspections.get(first).map(|i| align(&context.setup, i)).unwrap_or_default();
    let difference = aligned.iter().find_map(|a| a.difference.as_ref());
    let cause = "a round encoded alone gives other ids than in the prompt; see where they part".to_string();
    let outcome = CheckOutcome::found(Verdict::Error, lost, cause);
    match difference {
        Some(d) => outcome.evidence("first divergence at token", format!("{} ({:?})", d.token, d.kind)),
        None => outcome,
    }
}
