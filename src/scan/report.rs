//! What a scan found: counts that add up, so that reports of parts merge into the report of the whole.
//!
//! # The JSON (`scan --format json`), `schema_version` 3
//!
//! | key | what |
//! | --- | --- |
//! | `tokenizer`, `template`, `preprocess`, `model_max_length` | the set-up; only reports of one set-up merge |
//! | `samples`, `bad_records` | records that are samples, and those that are none; `bad` holds the first of these |
//! | `by_state` | samples that are `sound`, `silent`, `mismatch` or `raises`: [`StatusKind`] |
//! | `by_template` | the same by the name of the template |
//! | `by_cause` | by the doctor's rule id: title, verdict, samples, and the first examples with place and mask |
//! | `by_rounds` | samples by assistant turns; [`MOST_ROUNDS`] stands for that many and more |
//! | `delta_by_rounds` | samples by assistant turns and by `cur_len - total_len`, where the rule compares them |
//! | `delta_law` | the straight line through most of those; made anew after a merge |
//! | `tokens`, `supervised` | ids in all, ids that reach the loss |
//! | `truncated`, `lost` | ids whose label the collator cuts off, ids whose label the length check discarded |
//! | `by_length`, `by_share` | samples by ids (powers of two) and by the share of supervised ids (tenths) |
//! | `at_length` | what a cut at these lengths takes: [`CutLoss`] |
//! | `by_source`, `other_sources` | by the value of `--source-key`; the first [`MOST_SOURCES`] names, the rest together |
//! | `drawn`, `fixes` | samples drawn by lot, and what each proposed fix makes of them: [`FixSample`], [`FixEffect`] |
//!
//! Lists are cut by an order that does not depend on who came first (the place, or a number drawn from it).

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::counted::{Counted, Lengths};
use super::counts::{CauseCount, CutLoss, SourceCount, add, count_one};
use super::example::{BadRecord, Example, clipped, keep_first};
use super::fix_samples::{FixEffect, FixSample};
use crate::data::RecordPosition;
use crate::diagnose::{DataDeltaFit, Differences};
use crate::error::{Error, Result};
use crate::labels::StatusKind;

/// Version of the JSON; another one is refused when reports are merged.
pub const SCHEMA_VERSION: u32 = 3;

/// Names of sources that are counted one by one, the first in alphabetical order: a key that differs in every record
/// must not fill the memory.
pub const MOST_SOURCES: usize = 10_000;

/// Sources that are shown, those with the most lost samples.
const SOURCES_SHOWN: usize = 20;

/// More rounds, and a larger difference, are counted as this many.
pub const MOST_ROUNDS: u64 = 256;
const MOST_DELTA: i64 = 256;

/// Lengths at which a cut is counted.
const CUTS: [u64; 7] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768];

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    pub schema_version: u32,
    pub tokenizer: String,
    pub template: String,
    pub preprocess: String,
    pub model_max_length: u64,
    pub samples: u64,
    pub bad_records: u64,
    pub bad: Vec<BadRecord>,
    pub by_state: BTreeMap<String, u64>,
    pub by_template: BTreeMap<String, BTreeMap<String, u64>>,
    pub by_cause: BTreeMap<String, CauseCount>,
    pub by_rounds: BTreeMap<u64, u64>,
    pub delta_by_rounds: Differences,
    pub delta_law: Option<DataDeltaFit>,
    pub tokens: u64,
    pub supervised: u64,
    pub truncated: u64,
    pub lost: u64,
    /// Samples by length: key is the smallest length of its bucket (powers of two).
    pub by_length: BTreeMap<u64, u64>,
    /// Samples by the share of supervised ids, in tenths: 0 is below 10 %, 10 is all of it.
    pub by_share: BTreeMap<u64, u64>,
    pub at_length: BTreeMap<u64, CutLoss>,
    pub by_source: BTreeMap<String, SourceCount>,
    pub other_sources: SourceCount,
    pub fixes: Vec<FixEffect>,
    pub drawn: FixSample,
}

/// The smallest number of the bucket that `n` falls in: 0, 1, 2, 4, 8 …
pub fn bucket(n: u64) -> u64 {
    n.checked_ilog2().map_or(0, |log| 1 << log)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl ScanReport {
    /// An empty report of a set-up.
    pub fn new(tokenizer: &str, template: &str, preprocess: &str, model_max_length: usize) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tokenizer: tokenizer.to_string(),
            template: template.to_string(),
            preprocess: preprocess.to_string(),
            model_max_length: count(model_max_length),
            ..Self::default()
        }
    }

    /// Counts one sample.
    pub fn count(&mut self, sample: &Counted<'_>) {
        self.samples += 1;
        let state = sample.status.name();
        count_one(&mut self.by_state, state);
        match self.by_template.get_mut(&self.template) {
            Some(states) => count_one(states, state),
            None => {
                self.by_template.insert(self.template.clone(), BTreeMap::from([(state.to_string(), 1)]));
            }
        }
        let rounds = count(sample.rounds).min(MOST_ROUNDS);
        *self.by_rounds.entry(rounds).or_default() += 1;
        if let Some(lengths) = &sample.lengths {
            self.count_lengths(lengths, rounds);
        }
        let lost = sample.status != StatusKind::Sound;
        if let Some(source) = sample.source {
            let one = SourceCount { samples: 1, lost: u64::from(lost) };
            self.add_source(clipped(source), one);
        }
        for concern in sample.concerns {
            let cause = self.by_cause.entry(concern.id.to_string()).or_default();
            cause.title = concern.title.to_string();
            cause.worsen(concern.verdict.name());
            cause.samples += 1;
            keep_first(&mut cause.examples, || Example::of(sample), sample.place);
        }
        self.drawn.offer(sample, lost);
    }

    /// Counts a record that is no sample.
    pub fn count_bad(&mut self, place: &RecordPosition, message: &str) {
        self.bad_records += 1;
        self.bad.push(BadRecord::new(place, message));
        BadRecord::keep_first(&mut self.bad);
    }

    fn count_lengths(&mut self, lengths: &Lengths<'_>, rounds: u64) {
        let tokens = count(lengths.tokens);
        let before = |cut: u64| -> u64 {
            let within = |r: &Range<usize>| count(r.end).min(cut).saturating_sub(count(r.start));
            lengths.labelled.iter().map(within).sum()
        };
        let (labelled, supervised) = (before(u64::MAX), before(count(lengths.kept)));
        self.tokens += tokens;
        self.supervised += supervised;
        self.truncated += labelled - supervised;
        self.lost += count(lengths.discarded);
        *self.by_length.entry(bucket(tokens)).or_default() += 1;
        *self.by_share.entry((supervised * 10).checked_div(tokens).unwrap_or(0)).or_default() += 1;
        if let Some(delta) = lengths.delta {
            let deltas = self.delta_by_rounds.entry(rounds).or_default();
            *deltas.entry(delta.clamp(-MOST_DELTA, MOST_DELTA)).or_default() += 1;
        }
        for cut in CUTS.into_iter().filter(|cut| tokens > *cut) {
            let kept = before(cut);
            let loss = self.at_length.entry(cut).or_default();
            loss.add(CutLoss {
                samples: 1,
                tokens: tokens - cut,
                supervised: labelled - kept,
                answers_lost: u64::from(labelled > 0 && kept == 0),
            });
        }
    }

    /// Adds the counts of another part of the same data set.
    ///
    /// # Errors
    /// A report of another version, tokenizer, template, rule or length.
    pub fn merge(&mut self, other: ScanReport) -> Result<()> {
        self.same_set_up(&other)?;
        self.samples += other.samples;
        self.bad_records += other.bad_records;
        self.tokens += other.tokens;
        self.supervised += other.supervised;
        self.truncated += other.truncated;
        self.lost += other.lost;
        self.bad.extend(other.bad);
        BadRecord::keep_first(&mut self.bad);
        add(&mut self.by_state, other.by_state);
        for (template, states) in other.by_template {
            add(self.by_template.entry(template).or_default(), states);
        }
        add(&mut self.by_rounds, other.by_rounds);
        for (rounds, deltas) in other.delta_by_rounds {
            add(self.delta_by_rounds.entry(rounds).or_default(), deltas);
        }
        add(&mut self.by_length, other.by_length);
        add(&mut self.by_share, other.by_share);
        for (cut, loss) in other.at_length {
            self.at_length.entry(cut).or_default().add(loss);
        }
        for (id, cause) in other.by_cause {
            self.by_cause.entry(id).or_default().merge(cause);
        }
        self.other_sources.add(other.other_sources);
        for (source, count) in other.by_source {
            self.add_source(source, count);
        }
        self.drawn.merge(other.drawn);
        if self.fixes.is_empty() {
            self.fixes = other.fixes;
        }
        Ok(())
    }

    fn same_set_up(&self, other: &ScanReport) -> Result<()> {
        let of = |r: &ScanReport| {
            format!(
                "schema {}, tokenizer {}, template {}, rule {}, model_max_length {}",
                r.schema_version, r.tokenizer, r.template, r.preprocess, r.model_max_length
            )
        };
        if of(self) == of(other) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "these reports do not belong together: one is of {}; the other of {}",
            of(self),
            of(other)
        )))
    }

    /// Works out anew what follows from the counts: the line of the differences, and what fixes do.
    pub fn settle(&mut self) {
        self.delta_law = DataDeltaFit::of_most(&self.delta_by_rounds);
        let lost = self.lost_samples();
        for (index, fix) in self.fixes.iter_mut().enumerate() {
            fix.measure(index, &self.drawn, lost);
        }
    }

    /// The same name is kept or not whatever the order in which names come: the first ones in the alphabet stay.
    fn add_source(&mut self, source: String, count: SourceCount) {
        self.by_source.entry(source).or_default().add(count);
        if self.by_source.len() > MOST_SOURCES
            && let Some((_, last)) = self.by_source.pop_last()
        {
            self.other_sources.add(last);
        }
    }

    /// Samples that train on nothing or are replaced.
    pub fn lost_samples(&self) -> u64 {
        self.samples.saturating_sub(self.by_state.get("sound").copied().unwrap_or(0))
    }

    /// The sources that lose the most samples, the worst first.
    pub fn worst_sources(&self) -> Vec<(&str, &SourceCount)> {
        let mut all: Vec<(&str, &SourceCount)> =
            self.by_source.iter().map(|(s, c)| (s.as_str(), c)).collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(count.lost), *name));
        all.truncate(SOURCES_SHOWN);
        all
    }

    /// Causes, those of the most samples first.
    pub fn causes(&self) -> Vec<(&str, &CauseCount)> {
        let mut all: Vec<(&str, &CauseCount)> =
            self.by_cause.iter().map(|(id, c)| (id.as_str(), c)).collect();
        let severity = |verdict: &str| match verdict {
            "error" => 0,
            "warn" => 1,
            _ => 2,
        };
        all.sort_by_key(|(id, cause)| (severity(&cause.verdict), std::cmp::Reverse(cause.samples), *id));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of sources `from`, each with one sample, named so that the order of the numbers is that of the alphabet.
    fn sources(names: impl Iterator<Item = usize>) -> ScanReport {
        let mut report = ScanReport::new("t", "phi", "phi", 2048);
        names.for_each(|n| {
            report.add_source(format!("{n:06}"), SourceCount { samples: 1, lost: n as u64 % 2 })
        });
        report
    }

    #[test]
    fn too_many_sources_are_counted_together_whatever_their_order() {
        let all = MOST_SOURCES + 500;
        let whole = sources(0..all);
        assert_eq!((whole.by_source.len(), whole.other_sources.samples), (MOST_SOURCES, 500));
        assert_eq!(sources((0..all).rev()), whole);
        let mut parts = sources((0..all).filter(|n| n % 3 == 0));
        parts.merge(sources((0..all).filter(|n| n % 3 != 0))).expect("one set-up");
        assert_eq!(parts, whole);
    }

    #[test]
    fn a_cut_takes_what_lies_behind_it() {
        let mut report = ScanReport::new("t", "phi", "phi", 4096);
        report.count_lengths(
            &Lengths {
                tokens: 1100,
                labelled: &[500..520, 1030..1050],
                kept: 1040,
                discarded: 0,
                delta: None,
            },
            2,
        );
        report.count_lengths(
            &Lengths {
                tokens: 600,
                labelled: &[550..555, 555..560],
                kept: usize::MAX,
                discarded: 0,
                delta: Some(-1000),
            },
            1,
        );
        assert_eq!((report.supervised, report.truncated), (40, 10), "the collator cuts at 1040");
        let loss = |cut| report.at_length.get(&cut).copied();
        let (at_512, at_1024) = (
            CutLoss { samples: 2, tokens: 588 + 88, supervised: 8 + 20 + 10, answers_lost: 1 },
            CutLoss { samples: 1, tokens: 76, supervised: 20, answers_lost: 0 },
        );
        assert_eq!((loss(512), loss(1024), loss(2048)), (Some(at_512), Some(at_1024), None));
        assert_eq!(report.delta_by_rounds[&1], BTreeMap::from([(-MOST_DELTA, 1)]));
    }
}
