//! Samples drawn by lot, on which proposed fixes are tried: a few stand for all, and the report says how few.
//!
//! The lot is a number made from the place of the record, so that every machine draws the same samples, and the lots
//! of parts of a data set merge into those of the whole: the smallest numbers win.

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::example::{MOST_BYTES, kept_record};
use crate::data::RecordPosition;

/// Lost samples that were drawn, and as many others.
pub const DRAWN: usize = 64;

/// One drawn sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SampledRecord {
    /// The number drawn, of 48 bits.
    pub lot: u64,
    /// Whether the labels are right: as things are, then under each fix in the order of [`super::ScanReport::fixes`].
    pub right: Vec<bool>,
    /// Learned ids in the same order.
    pub supervised: Vec<u64>,
    /// The record itself, until the fixes were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// Those with the smallest numbers, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixSample {
    /// Samples that train on nothing or are replaced.
    pub lost: Vec<SampledRecord>,
    pub sound: Vec<SampledRecord>,
}

/// A proposed fix, and what it does to the drawn samples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixEffect {
    /// In a sentence.
    pub summary: String,
    /// What a user pastes.
    pub code: String,
    /// FixSample samples that are lost without the fix, and those of them that it labels right.
    pub lost_tried: u64,
    pub repaired: u64,
    /// FixSample samples that are sound without the fix, and those that were labelled right and are not any more.
    pub sound_tried: u64,
    pub broken: u64,
    /// Learned ids of all drawn samples.
    pub supervised_before: u64,
    pub supervised_after: u64,
    /// All lost samples times the repaired share of the drawn ones, rounded down; exact where all were drawn.
    pub repaired_estimate: u64,
}

impl FixSample {
    /// Takes a sample in if its lot is small enough. Very long records are never drawn.
    pub(super) fn offer(&mut self, sample: &Counted<'_>, lost: bool) {
        let side = if lost { &mut self.lost } else { &mut self.sound };
        let lot = lot_of(sample.place);
        let full = side.len() >= DRAWN && side.last().is_some_and(|last| last.lot <= lot);
        if full || sample.record.len() > MOST_BYTES {
            return;
        }
        let record = kept_record(sample.record);
        side.push(SampledRecord { lot, right: Vec::new(), supervised: Vec::new(), record });
        keep_smallest(side);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (mine, other) in [(&mut self.lost, other.lost), (&mut self.sound, other.sound)] {
            mine.extend(other);
            keep_smallest(mine);
        }
    }
}

impl FixEffect {
    /// Adds up what fix number `index` did; `lost` are all lost samples of the data set.
    pub(super) fn measure(&mut self, index: usize, fix_samples: &FixSample, lost: u64) {
        let right = |lot: &SampledRecord| lot.right.get(index + 1).copied().unwrap_or(false);
        let was_right = |lot: &SampledRecord| lot.right.first().copied().unwrap_or(false);
        let count = |lots: &[SampledRecord], holds: &dyn Fn(&SampledRecord) -> bool| {
            u64::try_from(lots.iter().filter(|lot| holds(lot)).count()).unwrap_or(u64::MAX)
        };
        let sum = |at: usize| -> u64 {
            let all = fix_samples.lost.iter().chain(&fix_samples.sound);
            all.filter_map(|lot| lot.supervised.get(at)).sum()
        };
        self.lost_tried = count(&fix_samples.lost, &|_| true);
        self.repaired = count(&fix_samples.lost, &right);
        self.sound_tried = count(&fix_samples.sound, &|_| true);
        self.broken = count(&fix_samples.sound, &|lot| was_right(lot) && !right(lot));
        (self.supervised_before, self.supervised_after) = (sum(0), sum(index + 1));
        self.repaired_estimate = lost.saturating_mul(self.repaired).checked_div(self.lost_tried).unwrap_or(0);
    }
}

fn keep_smallest(lots: &mut Vec<SampledRecord>) {
    lots.sort();
    lots.truncate(DRAWN);
}

/// FNV-1a over file name and position, stirred as SplitMix64 does it, so that neighbours are drawn independently.
fn lot_of(place: &RecordPosition) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in place.file.bytes().chain(place.index.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // JSON readers that keep numbers as doubles must see the same lot.
    (hash ^ (hash >> 31)) >> 16
}
