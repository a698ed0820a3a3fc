//! What the parts of a report count, and how two of a kind add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::example::Example;

/// A cause by the doctor's rule id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    pub title: String,
    pub verdict: String,
    pub samples: u64,
    /// The first ones, by file and place.
    pub examples: Vec<Example>,
}

/// Samples of one value of the source key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCount {
    pub samples: u64,
    /// Of these, samples that are not sound.
    pub lost: u64,
}

/// What a cut at one length takes away, where a placeholder of an image is one id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutLoss {
    /// Samples that are longer.
    pub samples: u64,
    /// Ids behind the cut, and those of them that have a label.
    pub tokens: u64,
    pub supervised: u64,
    /// Samples with labels, all of them behind the cut.
    pub answers_lost: u64,
}

impl CauseCount {
    /// Keeps the worse of two verdicts.
    pub(super) fn worsen(&mut self, verdict: &str) {
        let rank = |verdict: &str| ["note", "warn", "error"].iter().position(|v| *v == verdict);
        if rank(verdict) > rank(&self.verdict) {
            self.verdict = verdict.to_string();
        }
    }

    pub(super) fn merge(&mut self, other: CauseCount) {
        self.samples += other.samples;
        self.worsen(&other.verdict);
        self.title = other.title;
        self.examples.extend(other.examples);
        Example::keep_first(&mut self.examples);
    }
}

impl SourceCount {
    pub(super) fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.lost += other.lost;
    }
}

impl CutLoss {
    pub(super) fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.tokens += other.tokens;
        self.supervised += other.supervised;
        self.answers_lost += other.answers_lost;
    }
}

/// One more of a name; most names are there already, and no text is made for those.
pub(super) fn count_one(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_string(), 1);
        }
    }
}

pub(super) fn add<K: Ord>(mine: &mut BTreeMap<K, u64>, other: BTreeMap<K, u64>) {
    for (key, count) in other {
        *mine.entry(key).or_default() += count;
    }
}
