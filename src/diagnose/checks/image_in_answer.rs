//! Image placeholders in the stretch that is learned.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::labels::IMAGE_TOKEN_INDEX;

pub const CHECK: Check = Check { id: "MSK062", title: "an image stands in an answer", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let learned = |i: &crate::labels::Labelled| {
        i.labels_before_check.iter().filter(|label| **label == IMAGE_TOKEN_INDEX).count()
    };
    let found = context.indices(|_, i| i.has_image && i.result.as_ref().is_ok_and(|l| learned(l) > 0));
    let Some(first) = found.first().copied() else { return CheckOutcome::ok() };
    let count = context.labelled(first).map_or(0, learned);
    let cause = "an <image> in an answer is not masked: its label is -200, which the model replaces by -100 together with \
                 the image's features; code that hands labels to the loss as they are fails on it";
    CheckOutcome::found(Verdict::Note, found, cause.to_string())
        .evidence("first", format!("{}: {count} of its labels are -200", context.name(first)))
}
