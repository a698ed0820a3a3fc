//! Long samples skip the length check.

use super::check::{Check, CheckOutcome};
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;

/// Long samples are encoded once more, at most so many.
const MOST: usize = 32;

pub const CHECK: Check = Check { id: "MSK008", title: "long samples skip the length check", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let most = i64::try_from(context.setup.labelling.options.model_max_length).unwrap_or(i64::MAX);
    let long =
        context.indices(|_, i| i.result.as_ref().is_ok_and(|l| l.cur_len.is_some_and(|cur| cur >= most)));
    if long.is_empty() {
        return CheckOutcome::ok();
    }
    // The same rule without the guard: nothing is cut, and every length is compared.
    let Ok(free) = Change::MaxLength(usize::MAX >> 1).apply(context.setup.clone()) else {
        return CheckOutcome::ok();
    };
    let drifts: Vec<(usize, i64)> = long
        .iter()
        .take(MOST)
        .filter_map(|index| {
            let labelled = free.inspect(context.samples.get(*index)?).result.ok()?;
            Some((*index, labelled.cur_len? - labelled.total_len?)).filter(|(_, delta)| *delta != 0)
        })
        .collect();
    let looked_at = long.len().min(MOST);
    let Some((first, delta)) = drifts.first().copied() else {
        let cause = "the check is skipped from model_max_length on; without the guard these lengths agree"
            .to_string();
        return CheckOutcome::found(Verdict::Note, long, cause)
            .evidence("compared without the guard", looked_at.to_string());
    };
    let cause = "the check is skipped from model_max_length on, and without the guard the lengths differ: the mask of \
                 these samples has drifted, and no warning says so";
    let drifted: Vec<usize> = drifts.iter().map(|(i, _)| *i).collect();
    let fix = context.tried(Fix::new(vec![Change::Drop(drifted.clone())]), &drifted);
    CheckOutcome::found(Verdict::Warn, drifted, cause.to_string())
        .evidence("first", format!("{}: Δ = {delta:+}", context.name(first)))
        .evidence("compared without the guard", format!("{looked_at} of {}", long.len()))
        .with_fix(fix)
}
