//! What if: the same samples before and after a change, labelled in memory.

use rayon::prelude::*;
use serde::Serialize;

use super::fix::{Change, Fix};
use super::layout::{check_mask, turns};
use crate::chat::Sample;
use crate::error::Result;
use crate::labels::Inspection;
use crate::setup::LlavaSetup;

/// What a change did to the samples that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Samples labelled both before and after.
    pub tried: usize,
    /// Lost or wrongly masked before, right after.
    pub repaired: usize,
    /// The other way round.
    pub broken: usize,
    /// Samples that the change takes out of the data.
    pub dropped: usize,
    /// Still lost or wrongly masked.
    pub remaining: usize,
    pub supervised_before: usize,
    pub supervised_after: usize,
}

/// The state of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelVerdict {
    /// Nothing raised, lengths agree, and exactly the answers and their stop tokens are supervised.
    pub right: bool,
    pub supervised: usize,
}

/// Judges one inspected sample. A rule without turns in its prompt is taken at its word.
pub fn label_verdict(setup: &LlavaSetup, inspection: &Inspection) -> LabelVerdict {
    let Ok(labelled) = &inspection.result else {
        return LabelVerdict { right: false, supervised: 0 };
    };
    let mask_right = turns(setup, inspection).is_none_or(|t| check_mask(labelled, t).is_right());
    LabelVerdict { right: !labelled.mismatch && mask_right, supervised: labelled.supervised() }
}

/// Labels samples under both set-ups, side by side. `indices` says which to try.
///
/// # Errors
/// As [`Fix::apply`].
pub fn what_if(setup: &LlavaSetup, fix: &Fix, samples: &[Sample], indices: &[usize]) -> Result<Effect> {
    let before = |index: usize| Some(judge(setup, samples.get(index)?));
    what_if_from(setup, fix, samples, indices, before)
}

/// The same where the state before the change is known.
///
/// # Errors
/// As [`Fix::apply`].
pub fn what_if_from(
    setup: &LlavaSetup,
    fix: &Fix,
    samples: &[Sample],
    indices: &[usize],
    before: impl Fn(usize) -> Option<LabelVerdict> + Sync,
) -> Result<Effect> {
    let (changed, kept) = fix.apply(setup, samples)?;
    let only_data = fix.changes.iter().all(|change| matches!(change, Change::Drop(_)));
    let parts: Vec<Effect> = indices
        .par_iter()
        .filter_map(|index| {
            let sample = samples.get(*index)?;
            let before = before(*index)?;
            if kept.binary_search(index).is_err() {
                let supervised_before = before.supervised;
                return Some(Effect { tried: 1, dropped: 1, supervised_before, ..Effect::default() });
            }
            let after = if only_data { before } else { judge(&changed, sample) };
            Some(Effect {
                tried: 1,
                repaired: usize::from(!before.right && after.right),
                broken: usize::from(before.right && !after.right),
                dropped: 0,
                remaining: usize::from(!after.right),
                supervised_before: before.supervised,
                supervised_after: after.supervised,
            })
        })
        .collect();
    Ok(parts.into_iter().fold(Effect::default(), Effect::plus))
}

fn judge(setup: &LlavaSetup, sample: &Sample) -> LabelVerdict {
    label_verdict(setup, &setup.inspect(sample))
}

impl Effect {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            tried: self.tried + other.tried,
            repaired: self.repaired + other.repaired,
            broken: self.broken + other.broken,
            dropped: self.dropped + other.dropped,
            remaining: self.remaining + other.remaining,
            supervised_before: self.supervised_before + other.supervised_before,
            supervised_after: self.supervised_after + other.supervised_after,
        }
    }
}
