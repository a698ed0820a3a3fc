//! What if: the same samples before and after a change, labelled in memory.

use rayon::prelude::*;

use super::change::Change;
use super::effect::ChangeEffect;
use super::fix::Fix;
use super::layout::{check_mask, turns};
use crate::chat::Sample;
use crate::error::Result;
use crate::labels::{Inspection, Labelled, StatusKind};
use crate::setup::LlavaSetup;

/// What is held against one sample's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelVerdict {
    /// How the sample ends in training.
    pub status: StatusKind,
    /// Exactly the answers and their stop tokens have labels, before any cut. True for a rule without turns in its
    /// prompt, which is taken at its word.
    pub mask_is_right: bool,
    /// Tokens that the loss sees.
    pub supervised: usize,
}

impl LabelVerdict {
    /// True for a sound sample with the right mask.
    pub fn is_right(&self) -> bool {
        self.status == StatusKind::Sound && self.mask_is_right
    }

    /// True where the rule does its part: lengths agree and the mask is right, whatever a cut leaves of the answers.
    pub fn rule_is_right(&self) -> bool {
        matches!(self.status, StatusKind::Sound | StatusKind::Silent) && self.mask_is_right
    }
}

/// Judges one inspected sample.
pub fn label_verdict(setup: &LlavaSetup, inspection: &Inspection) -> LabelVerdict {
    let mask = |labelled| turns(setup, inspection).is_none_or(|turns| check_mask(labelled, turns).is_right());
    let labelled = inspection.result.as_ref().ok();
    LabelVerdict {
        status: inspection.status().kind(),
        mask_is_right: labelled.is_some_and(mask),
        supervised: labelled.map_or(0, Labelled::supervised),
    }
}

/// Labels samples under both set-ups, side by side. `indices` says which to try.
///
/// # Errors
/// As [`Fix::apply`].
pub fn what_if(setup: &LlavaSetup, fix: &Fix, samples: &[Sample], indices: &[usize]) -> Result<ChangeEffect> {
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
) -> Result<ChangeEffect> {
    let (changed, kept) = fix.apply(setup, samples)?;
    let only_data = fix.changes.iter().all(|change| matches!(change, Change::Drop(_) | Change::Data(_)));
    let parts: Vec<ChangeEffect> = indices
        .par_iter()
        .filter_map(|index| {
            let sample = samples.get(*index)?;
            let before = before(*index)?;
            if kept.binary_search(index).is_err() {
                let supervised_before = before.supervised;
                return Some(ChangeEffect {
                    tried: 1,
                    dropped: 1,
                    supervised_before,
                    ..ChangeEffect::default()
                });
            }
            let after = if only_data { before } else { judge(&changed, sample) };
            Some(ChangeEffect {
                tried: 1,
                repaired: usize::from(!before.is_right() && after.is_right()),
                broken: usize::from(before.is_right() && !after.is_right()),
                dropped: 0,
                remaining: usize::from(!after.is_right()),
                supervised_before: before.supervised,
                supervised_after: after.supervised,
            })
        })
        .collect();
    Ok(parts.into_iter().fold(ChangeEffect::default(), ChangeEffect::plus))
}

fn judge(setup: &LlavaSetup, sample: &Sample) -> LabelVerdict {
    label_verdict(setup, &setup.inspect(sample))
}
