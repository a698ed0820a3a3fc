//! What a scan found: counts that add up, so that reports of parts merge into the report of the whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Version of the JSON; another one is refused when reports are merged.
pub const SCHEMA_VERSION: u32 = 1;

/// Examples and bad records that are kept, the first by place.
const KEPT: usize = 10;

/// Sources that are kept, those with the most lost samples.
const SOURCES_SHOWN: usize = 20;

/// Lengths at which a cut is counted.
const CUTS: [usize; 4] = [1024, 2048, 4096, 8192];

/// A record that is no sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BadRecord {
    pub file: String,
    pub line: u64,
    pub byte: u64,
    pub message: String,
}

/// A sample with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Example {
    pub file: String,
    /// Byte of the decompressed text, from 0.
    pub byte: u64,
    pub line: u64,
    pub id: String,
}

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCount {
    pub samples: u64,
    /// Of these, samples that train on nothing.
    pub lost: u64,
}

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub schema_version: u32,
    pub tokenizer: String,
    pub template: String,
    pub preprocess: String,
    /// Records that are samples.
    pub samples: u64,
    /// Records that are none, and the first of them.
    pub bad_records: u64,
    pub bad: Vec<BadRecord>,
    /// `sound`, `silent`, `mismatch`, `raises`.
    pub by_state: BTreeMap<String, u64>,
    /// By the doctor's rule id.
    pub by_cause: BTreeMap<String, CauseCount>,
    /// By the number of assistant turns.
    pub by_rounds: BTreeMap<u64, u64>,
    /// Ids in all samples, those that are learned, and those that the length check threw away.
    pub tokens: u64,
    pub supervised: u64,
    pub lost: u64,
    /// Samples by length: key is the smallest length of its bucket (powers of two).
    pub by_length: BTreeMap<u64, u64>,
    /// Samples by the share of learned ids, in tenths: 0 is below 10 %, 10 is all of it.
    pub by_share: BTreeMap<u64, u64>,
    /// Ids beyond these lengths, summed over the samples.
    pub beyond_length: BTreeMap<u64, u64>,
    /// By the value of the source key, where one was named.
    pub by_source: BTreeMap<String, SourceCount>,
}

/// The smallest number of the bucket that `n` falls in: 0, 1, 2, 4, 8 …
pub fn bucket(n: u64) -> u64 {
    n.checked_ilog2().map_or(0, |log| 1 << log)
}

impl Report {
    /// An empty report of a set-up.
    pub fn new(tokenizer: &str, template: &str, preprocess: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tokenizer: tokenizer.to_string(),
            template: template.to_string(),
            preprocess: preprocess.to_string(),
            ..Self::default()
        }
    }

    /// Counts the lengths of one labelled sample.
    pub fn add_lengths(&mut self, tokens: usize, supervised: usize, lost: usize) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.tokens += count(tokens);
        self.supervised += count(supervised);
        self.lost += count(lost);
        *self.by_length.entry(bucket(count(tokens))).or_default() += 1;
        let share = (supervised * 10).checked_div(tokens).unwrap_or(0);
        *self.by_share.entry(count(share)).or_default() += 1;
        for cut in CUTS {
            *self.beyond_length.entry(count(cut)).or_default() += count(tokens.saturating_sub(cut));
        }
    }

    /// Adds the counts of another part of the same data set.
    ///
    /// # Errors
    /// A report of another version, tokenizer, template or rule.
    pub fn merge(&mut self, other: Report) -> Result<()> {
        let of =
            |r: &Report| (r.schema_version, r.tokenizer.clone(), r.template.clone(), r.preprocess.clone());
        if of(self) != of(&other) {
            return Err(Error::Usage(format!(
                "these reports do not belong together: {:?} and {:?}",
                of(self),
                of(&other)
            )));
        }
        self.samples += other.samples;
        self.bad_records += other.bad_records;
        self.tokens += other.tokens;
        self.supervised += other.supervised;
        self.lost += other.lost;
        self.bad.extend(other.bad);
        self.bad.sort();
        self.bad.truncate(KEPT);
        add(&mut self.by_state, other.by_state);
        add(&mut self.by_rounds, other.by_rounds);
        add(&mut self.by_length, other.by_length);
        add(&mut self.by_share, other.by_share);
        add(&mut self.beyond_length, other.beyond_length);
        for (id, cause) in other.by_cause {
            let mine = self.by_cause.entry(id).or_default();
            mine.samples += cause.samples;
            if rank(&cause.verdict) > rank(&mine.verdict) {
                mine.verdict = cause.verdict;
            }
            mine.title = cause.title;
            mine.examples.extend(cause.examples);
            mine.examples.sort();
            mine.examples.truncate(KEPT);
        }
        for (source, count) in other.by_source {
            let mine = self.by_source.entry(source).or_default();
            mine.samples += count.samples;
            mine.lost += count.lost;
        }
        Ok(())
    }

    /// Samples that train on nothing or are replaced.
    pub fn lost_samples(&self) -> u64 {
        self.samples - self.by_state.get("sound").copied().unwrap_or(0)
    }

    /// The sources that lose the most samples, the worst first.
    pub fn worst_sources(&self) -> Vec<(&str, &SourceCount)> {
        let mut all: Vec<(&str, &SourceCount)> =
            self.by_source.iter().map(|(s, c)| (s.as_str(), c)).collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(count.lost), *name));
        all.truncate(SOURCES_SHOWN);
        all
    }
}

/// How bad a verdict is.
fn rank(verdict: &str) -> usize {
    ["note", "warn", "error"].iter().position(|v| *v == verdict).map_or(0, |at| at + 1)
}

fn add<K: Ord>(mine: &mut BTreeMap<K, u64>, other: BTreeMap<K, u64>) {
    for (key, count) in other {
        *mine.entry(key).or_default() += count;
    }
}
