//! Image placeholders behind the place where the collator cuts.

use super::check::{Check, CheckOutcome};
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::labels::IMAGE_TOKEN_INDEX;

pub const CHECK: Check = Check { id: "MSK027", title: "an image lies behind the cut", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let most = context.setup.labelling.options.model_max_length;
    let behind = |ids: &[i64]| ids.iter().skip(most).filter(|id| **id == IMAGE_TOKEN_INDEX).count();
    let cut = context.indices(|_, i| {
        i.has_image && i.result.as_ref().is_ok_and(|labelled| behind(&labelled.input_ids) > 0)
    });
    let Some(first) = cut.first().copied() else { return CheckOutcome::ok() };
    let gone = context.labelled(first).map_or(0, |labelled| behind(&labelled.input_ids));
    let cause = "image samples are cut to model_max_length by the collator only: a placeholder behind the cut is gone, and \
                 its image is left without a place";
    let fix = context.tried(Fix::new(vec![Change::Drop(cut.clone())]), &cut);
    CheckOutcome::found(Verdict::Warn, cut, cause.to_string())
        .evidence("first", format!("{}: {gone} placeholders behind token {most}", context.name(first)))
        .with_fix(fix)
}
