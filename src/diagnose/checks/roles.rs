//! Conversations that the training code refuses.

use super::{Check, Context, Outcome, Verdict};
use crate::diagnose::fix::{Change, Fix};

pub const CHECK: Check = Check { id: "MSK016", title: "the training code refuses the conversation", run };

fn run(context: &Context<'_>) -> Outcome {
    let raised = context.indices(|facts, inspection| facts.content.refused && inspection.result.is_err());
    let Some(first) = raised.first().and_then(|i| context.inspections.get(*i)) else { return Outcome::ok() };
    let error = first.result.as_ref().err().map(|e| format!("{}: {}", e.kind, e.message)).unwrap_or_default();
    let fix = context.tried(Fix::new(vec![Change::Drop(raised.clone())]), &raised);
    let cause = "roles do not alternate, a speaker is unknown, or a turn has two videos: the data set class swallows \
                 the exception and trains on a random other sample instead";
    Outcome::found(Verdict::Warn, raised, cause.to_string()).evidence("first exception", error).with_fix(fix)
}
