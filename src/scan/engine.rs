//! The work on a batch of records: parse, label, diagnose, count. Nothing here reads or prints.
//!
//! ```text
//! record ─► ordinary and surely sound ─► tally: ids alone, each text once
//!      └──► anything else ─────────────► labels and diagnosis in full: the full path
//! ```
//!
//! Both give the same counts. A share of what was tallied is labelled the full path as well, and one difference
//! ends the scan. Where a repository's own function labels, a difference says that the function is not what it was taken for:
//! from then on every sample is labelled in full, and what was tallied before is to be read once more ([`ScanBatch::begin_again`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::counted::{Counted, Lengths};
use super::fast_labeler::{FastCounts, FastLabeler, Scratch};
use super::report::ScanReport;
use super::trial_texts::trial_texts;
use crate::chat::layout::Layout;
use crate::chat::{PlainRecord, Sample, lenient_value, sample_of};
use crate::data::Record;
use crate::diagnose::{Attribution, CHECKS, RuleHit, Verdict};
use crate::error::{Error, Result};
use crate::guard;
use crate::labels::{IGNORE_INDEX, Inspection, Labelled, StatusKind};
use crate::sandbox::StopSignal;
use crate::setup::Setup;

/// Records that one core takes at a time.
const PART: usize = 64;

/// Bytes of a record from which on it is labelled in full.
const LONG_RECORD: usize = 1 << 20;

/// Share of the tallied samples that a repository's own function labels too, and records from the first on that it always does.
const OWN_VERIFY: f64 = 1.0 / 64.0;
const OWN_FIRST: u64 = 32;

/// The check for answers that a lone space opens: the one that can concern a sample that was tallied.
const BARE_SPACE: &str = "MSK032";

/// One record after the scan, in input order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStatus {
    /// The sample's id; `None` for a record that is no sample.
    pub id: Option<String>,
    /// `None` for a record that is no sample.
    pub status: Option<StatusKind>,
}

/// What a batch came to.
#[derive(Debug)]
pub struct ScanBatch {
    pub report: ScanReport,
    /// One for each record.
    pub statuses: Vec<RecordStatus>,
    /// Samples that took the fast path.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub tallied: usize,
    /// Samples of each source that are JSON only without commas before closing brackets.
    pub with_trailing_commas: BTreeMap<String, usize>,
    /// Batches before this one were counted by a rule that has since been seen to differ from the repository's function:
    /// their counts, and those of this batch, are to be thrown away, and the data read from its beginning.
    pub begin_again: bool,
}

/// How a scan goes about its samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScanMode {
    /// FastCounts what is surely sound; this share of it, from 0 to 1, is labelled the full path too and compared.
    Quick { verify: f64 },
    /// Label every sample in full.
    Reference,
}

impl Default for ScanMode {
    /// One sample in some thousands is compared, which costs some hundredths of the time.
    fn default() -> Self {
        Self::Quick { verify: 1.0 / 4096.0 }
    }
}

/// Scans batches under one set-up.
#[derive(Debug, Clone)]
pub struct Scanner {
    setup: Arc<Setup>,
    attribution: Arc<Attribution>,
    /// Key of a record whose values are counted one by one.
    source_key: Option<String>,
    /// The layout of all records; `None` tells each by its keys.
    layout: Option<Layout>,
    /// The fast path, or why it is not taken.
    quick: std::result::Result<Arc<Quick>, String>,
}

/// What the fast path needs.
#[derive(Debug)]
struct Quick {
    fast_labeler: FastLabeler,
    /// Share of tallied samples that is compared.
    verify: f64,
    /// The concern of a sample whose answer a lone space opens.
    bare_space: Option<RuleHit>,
    /// A repository's own function labels, and the rule that is counted by is only taken for it.
    is_own_function: bool,
    /// Where the function differs from that rule.
    refuted: OnceLock<String>,
    /// Samples of earlier batches were tallied.
    has_tallied: AtomicBool,
    /// One for each thread of the pool, and one for a caller outside of it.
    scratch: Vec<Mutex<Scratch>>,
}

/// What was found of some records, in their order.
#[derive(Debug, Default)]
struct PartResult {
    seen: Vec<RecordResult>,
    /// Stretches that tallied samples learn, one sample behind the other.
    learned: Vec<Range<usize>>,
}

/// One record.
#[derive(Debug)]
enum RecordResult {
    Tallied {
        id: String,
        source: Option<String>,
        tally: FastCounts,
    },
    Analyzed(Box<Analyzed>),
    /// The record is no sample.
    Bad(String),
}

/// A sample with everything that is counted of it.
#[derive(Debug)]
struct Analyzed {
    sample: Sample,
    /// Commas before closing brackets were left out of the record.
    has_commas: bool,
    source: Option<String>,
    inspection: Inspection,
    concerns: Vec<RuleHit>,
}

impl Scanner {
    /// A scanner for a set-up. Encodes some hundred texts to see whether the fast path can be taken.
    pub fn new(setup: Arc<Setup>, source_key: Option<String>, layout: Option<Layout>) -> Self {
        let attribution = Arc::new(Attribution::new(&setup));
        Self { setup, attribution, source_key, layout, quick: Err(String::new()) }
            .with_mode(ScanMode::default())
    }

    /// The same, in another mode.
    pub fn with_mode(self, mode: ScanMode) -> Self {
        let quick = match (mode, self.layout) {
            (ScanMode::Reference, _) => Err("the full path was asked for".to_string()),
            (ScanMode::Quick { verify }, None | Some(Layout::Llava | Layout::ShareGpt)) => {
                Quick::new(&self.setup, verify, &self.attribution).map(Arc::new)
            }
            (ScanMode::Quick { .. }, Some(layout)) => Err(format!("the layout is {}", layout.name())),
        };
        Self { quick, ..self }
    }

    /// The same without the fast path, for a reason.
    #[must_use]
    pub fn without_fast_path(self, reason: &str) -> Self {
        Self { quick: Err(reason.to_string()), ..self }
    }

    /// The same for a scan that goes on from counts of an earlier run.
    #[must_use]
    pub fn goes_on(self) -> Self {
        if let Ok(quick) = &self.quick {
            quick.has_tallied.store(true, Ordering::Relaxed);
        }
        self
    }

    /// Why every sample is labelled in full, which takes some fifty times as long; `None` where the fast path is taken.
    pub fn slow_because(&self) -> Option<&str> {
        match &self.quick {
            Ok(quick) => quick.refuted.get().map(String::as_str),
            Err(reason) => Some(reason),
        }
    }

    /// The fast path, as long as nothing speaks against it.
    fn fast_path(&self) -> Option<&Quick> {
        self.quick.as_deref().ok().filter(|quick| quick.refuted.get().is_none())
    }

    /// The set-up that samples are labelled under.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// A report without any sample.
    pub fn empty(&self) -> ScanReport {
        let setup = &self.setup;
        let most = setup.model_max_length();
        ScanReport::new(&setup.tokenizer.name, setup.template_name(), setup.rule_name(), most)
    }

    /// Parses, labels and diagnoses records on all cores; the result does not depend on how many there are, nor on
    /// which records come together.
    ///
    /// # Errors
    /// None of the records': those are counted. Only a sample on which the two ways differ, which is a bug.
    pub fn scan(&self, records: &[Record]) -> Result<ScanBatch> {
        let stop = StopSignal::current();
        let part = |records: &[Record]| stop.within(|| self.part(records));
        let all = || records.par_chunks(PART).map(part).collect::<Result<Vec<PartResult>>>();
        let was_fast = self.fast_path().is_some();
        let mut parts = all()?;
        let mut begin_again = false;
        if let (true, None, Ok(quick)) = (was_fast, self.fast_path(), &self.quick) {
            begin_again = quick.has_tallied.load(Ordering::Relaxed);
            parts = all()?;
        }
        let mut report = self.empty();
        let mut statuses = Vec::with_capacity(records.len());
        let mut tallied = 0;
        let mut with_trailing_commas = BTreeMap::<String, usize>::new();
        for (records, part) in records.chunks(PART).zip(parts) {
            let mut learned = part.learned.as_slice();
            for (record, seen) in records.iter().zip(part.seen) {
                statuses.push(match seen {
                    RecordResult::Tallied { id, source, tally } => {
                        let (own, rest) = learned.split_at_checked(tally.rounds).unwrap_or_default();
                        learned = rest;
                        tallied += 1;
                        self.count_tallied(&mut report, record, (&id, source.as_deref()), tally, own);
                        RecordStatus { id: Some(id), status: Some(StatusKind::Sound) }
                    }
                    RecordResult::Analyzed(analyzed) => {
                        let status = analyzed.inspection.status().kind();
                        self.count(&mut report, record, &analyzed, status);
                        if analyzed.has_commas {
                            *with_trailing_commas.entry(record.place.file.clone()).or_default() += 1;
                        }
                        RecordStatus { id: Some(analyzed.sample.id), status: Some(status) }
                    }
                    RecordResult::Bad(message) => {
                        report.count_bad(&record.place, &message);
                        RecordStatus { id: None, status: None }
                    }
                });
            }
        }
        if let (true, Some(quick)) = (tallied > 0, self.fast_path()) {
            quick.has_tallied.store(true, Ordering::Relaxed);
        }
        Ok(ScanBatch { report, statuses, tallied, with_trailing_commas, begin_again })
    }

    /// The counts of records that are read from somewhere, a batch at a time: the next one is read while this one is
    /// analyzed at.
    ///
    /// # Errors
    /// As [`Self::scan`], and whatever the reading gives.
    #[cfg(feature = "internals")]
    pub fn scan_all(
        &self,
        mut records: impl Iterator<Item = Result<Record>> + Send,
        batch: usize,
    ) -> Result<ScanReport> {
        let mut whole = self.empty();
        let mut read = || records.by_ref().take(batch.max(1)).collect::<Result<Vec<Record>>>();
        let mut now = read()?;
        while !now.is_empty() {
            let (done, next) = rayon::join(|| self.scan(&now), &mut read);
            let done = done?;
            if done.begin_again {
                let text = "the repository's function is not the rule that it was taken for, and these records cannot be read again";
                return Err(Error::Usage(text.to_string()));
            }
            whole.merge(done.report)?;
            now = next?;
        }
        Ok(whole)
    }

    fn part(&self, records: &[Record]) -> Result<PartResult> {
        let mut part = PartResult { seen: Vec::with_capacity(records.len()), ..PartResult::default() };
        let quick = self.fast_path();
        let mut scratch = quick.and_then(Quick::scratch);
        for record in records {
            let tallied = match (quick, &mut scratch) {
                (Some(quick), Some(scratch)) => self.tally(quick, scratch, record, &mut part.learned)?,
                _ => None,
            };
            let analyzed = || {
                self.analyze(record)
                    .map_or_else(RecordResult::Bad, |analyzed| RecordResult::Analyzed(Box::new(analyzed)))
            };
            part.seen.push(tallied.unwrap_or_else(analyzed));
        }
        Ok(part)
    }

    /// A record that is an ordinary one and surely sound; `None` for every other.
    fn tally(
        &self,
        quick: &Quick,
        scratch: &mut Scratch,
        record: &Record,
        learned: &mut Vec<Range<usize>>,
    ) -> Result<Option<RecordResult>> {
        // Of a long record each word is new, and nothing is won by remembering it.
        if record.bytes.len() > LONG_RECORD {
            return Ok(None);
        }
        let Some(plain) = PlainRecord::read(&record.bytes) else { return Ok(None) };
        let Some(tally) = quick.fast_labeler.tally(scratch, &plain) else { return Ok(None) };
        let is_among_first = quick.is_own_function && record.place.index < OWN_FIRST;
        if is_among_first || is_verified(record.place.index, quick.verify) {
            let compared = self.compare(scratch, record, tally.bare_spaces > 0);
            if let (Err((id, difference)), true) = (&compared, quick.is_own_function) {
                let known = quick.fast_labeler.rule_name();
                let _ = quick.refuted.set(format!(
                    "sample {id} is labelled otherwise by the repository's function than by the rule {known} ({difference})"
                ));
                return Ok(None);
            }
            compared.map_err(|(id, difference)| difference_error(record, id, &difference))?;
        }
        learned.extend_from_slice(scratch.learned());
        // A value of the source key may be anything: the whole record is read for it.
        let source = match &self.source_key {
            Some(_) => self.parse(record).ok().and_then(|parsed| parsed.source),
            None => None,
        };
        let id = plain.id.unwrap_or_else(|| record.place.index.to_string());
        Ok(Some(RecordResult::Tallied { id, source, tally }))
    }

    /// Labels the sample that was tallied last the full path too.
    ///
    /// # Errors
    /// The sample's id, and what differs.
    fn compare(
        &self,
        scratch: &Scratch,
        record: &Record,
        bare_space: bool,
    ) -> std::result::Result<(), (String, String)> {
        let analyzed = self.analyze(record);
        let id = analyzed.as_ref().map_or_else(|_| record.place.index.to_string(), |l| l.sample.id.clone());
        let compared = analyzed.and_then(|analyzed| compare_counts(scratch, analyzed, bare_space));
        compared.map_err(|difference| (id, difference))
    }

    fn count_tallied(
        &self,
        report: &mut ScanReport,
        record: &Record,
        (id, source): (&str, Option<&str>),
        tally: FastCounts,
        learned: &[Range<usize>],
    ) {
        let concern = self.quick.as_ref().ok().and_then(|quick| quick.bare_space.as_ref());
        let concerns = concern.filter(|_| tally.bare_spaces > 0).map(std::slice::from_ref);
        report.count(&Counted {
            status: StatusKind::Sound,
            place: &record.place,
            id,
            record: &record.bytes,
            rounds: tally.rounds,
            source,
            lengths: Some(Lengths {
                tokens: tally.tokens,
                labelled: learned,
                kept: usize::MAX,
                discarded: 0,
                delta: Some(0),
            }),
            concerns: concerns.unwrap_or_default(),
        });
    }

    fn analyze(&self, record: &Record) -> std::result::Result<Analyzed, String> {
        let place = || format!("{}, record {}", record.place.file, record.place.index + 1);
        let _watched = guard::watch(place, 2 * guard::time_for(record.bytes.len()));
        let analyze = || {
            let ParsedRecord { sample, source, has_commas } = self.parse(record)?;
            let inspection = self.setup.inspect(&sample);
            let concerns = self.attribution.of(&sample, &inspection);
            Ok(Analyzed { sample, has_commas, source, inspection, concerns })
        };
        guard::contain(analyze)
            .unwrap_or_else(|panic| Err(format!("this record makes maskscope fail: {panic}")))
    }

    fn count(&self, report: &mut ScanReport, record: &Record, analyzed: &Analyzed, status: StatusKind) {
        let labelled = analyzed.inspection.result.as_ref().ok();
        let ranges = labelled.map(|l| ranges(&l.labels)).unwrap_or_default();
        let lengths = labelled.map(|l| self.lengths(l, &ranges));
        report.count(&Counted {
            status,
            place: &record.place,
            id: &analyzed.sample.id,
            record: &record.bytes,
            rounds: analyzed.sample.conversations.iter().filter(|t| t.from == "gpt").count(),
            source: analyzed.source.as_deref(),
            lengths,
            concerns: &analyzed.concerns,
        });
    }

    fn lengths<'a>(&self, labelled: &Labelled, ranges: &'a [Range<usize>]) -> Lengths<'a> {
        let count = |labels: &[i64]| labels.iter().filter(|label| **label != IGNORE_INDEX).count();
        let most = i64::try_from(self.setup.model_max_length()).unwrap_or(i64::MAX);
        let compared = self.attribution.counts() && labelled.cur_len.is_some_and(|cur| cur < most);
        let delta = labelled.cur_len.zip(labelled.total_len).map(|(cur, total)| cur - total);
        Lengths {
            tokens: labelled.input_ids.len(),
            labelled: ranges,
            kept: labelled.kept_len,
            discarded: count(&labelled.labels_before_check).saturating_sub(count(&labelled.labels)),
            delta: delta.filter(|_| compared),
        }
    }

    /// The sample that a record holds.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(&self, record: &Record) -> std::result::Result<ParsedRecord, String> {
        let (value, has_commas) = lenient_value(record).map_err(|e| e.to_string())?;
        let line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
        let index = usize::try_from(record.place.index).unwrap_or(usize::MAX);
        let file = std::path::Path::new(&record.place.file);
        let sample = sample_of(&value, self.layout, index, line, file).map_err(|e| e.to_string())?;
        let source = self.source_key.as_ref().map(|key| match value.get(key) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "(none)".to_string(),
        });
        Ok(ParsedRecord { sample, source, has_commas })
    }
}

/// What was tallied of a sample, held against its labels.
fn compare_counts(
    scratch: &Scratch,
    analyzed: Analyzed,
    bare_space: bool,
) -> std::result::Result<(), String> {
    let concerns: Vec<&str> = analyzed.concerns.iter().map(|c| c.id).collect();
    let expected: &[&str] = if bare_space { &[BARE_SPACE] } else { &[] };
    let status = analyzed.inspection.status();
    match analyzed.inspection.result {
        Err(e) => Err(format!("{}: {}", e.kind, e.message)),
        Ok(_) if concerns != expected => Err(format!("the doctor says {}", concerns.join(", "))),
        Ok(_) if !status.is_sound() => Err(format!("it is {}", status.kind().name())),
        Ok(labelled) => scratch.compare(&labelled),
    }
}

fn difference_error(record: &Record, id: String, difference: &str) -> Error {
    Error::Sample {
        path: record.place.file.clone().into(),
        line: usize::try_from(record.place.line).unwrap_or(usize::MAX),
        sample: id,
        message: format!(
            "the fast path of scanning takes this sample for sound, the full path differs ({difference}); \
             scan with --reference, and please report the tokenizer and this sample"
        ),
    }
}

impl Quick {
    fn new(setup: &Setup, verify: f64, attribution: &Attribution) -> std::result::Result<Self, String> {
        let check = CHECKS.iter().find(|check| check.id == BARE_SPACE);
        let is_own_function = setup.repository().is_some();
        let fast_labeler = FastLabeler::new(setup)?;
        if is_own_function {
            stands_for_function(setup, &fast_labeler, attribution)?;
        }
        Ok(Self {
            fast_labeler,
            verify: if is_own_function { verify.max(OWN_VERIFY) } else { verify }.clamp(0.0, 1.0),
            is_own_function,
            refuted: OnceLock::new(),
            has_tallied: AtomicBool::new(false),
            bare_space: check.map(|c| RuleHit { id: c.id, title: c.title, verdict: Verdict::Note }),
            scratch: (0..=rayon::current_num_threads()).map(|_| Mutex::default()).collect(),
        })
    }

    fn scratch(&self) -> Option<std::sync::MutexGuard<'_, Scratch>> {
        let own = rayon::current_thread_index().map_or(0, |n| n + 1);
        Some(self.scratch.get(own)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Holds what is tallied against a repository's own function, on texts of many kinds.
///
/// # Errors
/// The first difference, in a sentence.
fn stands_for_function(
    setup: &Setup,
    fast_labeler: &FastLabeler,
    attribution: &Attribution,
) -> std::result::Result<(), String> {
    let samples = trial_texts();
    let compared = samples.par_iter().map_init(Scratch::default, |scratch, sample| {
        let Some(tally) = PlainRecord::of(sample).and_then(|plain| fast_labeler.tally(scratch, &plain))
        else {
            return Ok(());
        };
        let inspection = setup.inspect(sample);
        let concerns = attribution.of(sample, &inspection);
        let analyzed =
            Analyzed { sample: sample.clone(), source: None, inspection, concerns, has_commas: false };
        compare_counts(scratch, analyzed, tally.bare_spaces > 0).map_err(|difference| {
            let rule = fast_labeler.rule_name();
            let id = &sample.id;
            format!(
                "the repository's function labels {id} otherwise than the rule {rule} does ({difference})"
            )
        })
    });
    compared.collect::<std::result::Result<(), String>>()
}

/// True for the records of a share, evenly spread over the input: 0.05 takes every twentieth.
fn is_verified(index: u64, share: f64) -> bool {
    let before = |index: u64| (index as f64 * share).ceil();
    before(index + 1) > before(index)
}

/// What a record holds.
#[derive(Debug)]
pub(super) struct ParsedRecord {
    pub sample: Sample,
    /// The value of the source key.
    pub source: Option<String>,
    /// Commas before closing brackets were left out of it.
    pub has_commas: bool,
}

/// Where labels are learned, as stretches.
fn ranges(labels: &[i64]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in labels.iter().enumerate().filter(|(_, label)| **label != IGNORE_INDEX) {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}
