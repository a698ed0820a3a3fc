//! The work on a batch of records: parse, label, diagnose, count. Nothing here reads or prints.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::report::{Counted, Lengths, Report};
use crate::chat::{Sample, sample_of};
use crate::data::Record;
use crate::diagnose::{Attribution, Concern, Plan};
use crate::error::Result;
use crate::labels::{IGNORE_INDEX, Inspection, Labelled};
use crate::setup::Setup;

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Sound,
    /// No warning, and nothing learned.
    Silent,
    Mismatch,
    /// The training code raises, and swaps in a random other sample.
    Raises,
}

impl State {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Silent => "silent",
            Self::Mismatch => "mismatch",
            Self::Raises => "raises",
        }
    }

    fn of(inspection: &Inspection) -> Self {
        match &inspection.result {
            Err(_) => Self::Raises,
            Ok(l) if l.mismatch => Self::Mismatch,
            Ok(l) if l.supervised() == 0 => Self::Silent,
            Ok(_) => Self::Sound,
        }
    }
}

/// One record after the scan, in input order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The sample's id; `None` for a record that is no sample.
    pub id: Option<String>,
    /// `None` for a record that is no sample.
    pub state: Option<State>,
}

/// What a batch came to.
#[derive(Debug)]
pub struct Batch {
    pub report: Report,
    /// One for each record.
    pub judged: Vec<Judged>,
}

/// Scans batches under one set-up.
#[derive(Debug, Clone)]
pub struct Scanner {
    setup: Arc<Setup>,
    attribution: Arc<Attribution>,
    /// Key of a record whose values are counted one by one.
    source_key: Option<String>,
}

/// A sample with everything that is counted of it.
struct Looked {
    sample: Sample,
    source: Option<String>,
    inspection: Inspection,
    concerns: Vec<Concern>,
}

impl Scanner {
    /// A scanner for a set-up.
    pub fn new(setup: Arc<Setup>, source_key: Option<String>) -> Self {
        let attribution = Arc::new(Attribution::new(Plan::of(&setup)));
        Self { setup, attribution, source_key }
    }

    /// The set-up that samples are labelled under.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The same, open to change.
    pub(super) fn plan(&self) -> &Plan {
        self.attribution.plan()
    }

    /// A report without any sample.
    pub fn empty(&self) -> Report {
        let setup = &self.setup;
        let most = setup.options.model_max_length;
        Report::new(&setup.tokenizer.name, &setup.template.name, self.plan().counting.name(), most)
    }

    /// Parses, labels and diagnoses records on all cores; the result does not depend on how many there are, nor on
    /// which records come together.
    ///
    /// # Errors
    /// None of the records': those are counted. Only reports that do not fit together, which is a bug.
    pub fn scan(&self, records: &[Record]) -> Result<Batch> {
        let looked: Vec<std::result::Result<Looked, String>> =
            records.par_iter().map(|record| self.look(record)).collect();
        let mut report = self.empty();
        let mut judged = Vec::with_capacity(records.len());
        for (record, looked) in records.iter().zip(looked) {
            match looked {
                Ok(looked) => {
                    let state = State::of(&looked.inspection);
                    self.count(&mut report, record, &looked, state);
                    judged.push(Judged { id: Some(looked.sample.id), state: Some(state) });
                }
                Err(message) => {
                    report.count_bad(&record.place, &message);
                    judged.push(Judged { id: None, state: None });
                }
            }
        }
        Ok(Batch { report, judged })
    }

    fn look(&self, record: &Record) -> std::result::Result<Looked, String> {
        let (sample, source) = self.parse(record)?;
        let inspection = self.setup.inspect(&sample);
        let concerns = self.attribution.of(&sample, &inspection);
        Ok(Looked { sample, source, inspection, concerns })
    }

    fn count(&self, report: &mut Report, record: &Record, looked: &Looked, state: State) {
        let labelled = looked.inspection.result.as_ref().ok();
        let learned = labelled.map(|l| ranges(&l.labels)).unwrap_or_default();
        let lengths = labelled.map(|l| self.lengths(l, &learned));
        report.count(&Counted {
            state,
            place: &record.place,
            id: &looked.sample.id,
            record: &record.bytes,
            rounds: looked.sample.conversations.iter().filter(|t| t.from == "gpt").count(),
            source: looked.source.as_deref(),
            lengths,
            concerns: &looked.concerns,
        });
    }

    fn lengths<'a>(&self, labelled: &Labelled, learned: &'a [Range<usize>]) -> Lengths<'a> {
        let would = labelled.labels_before_check.iter().filter(|l| **l != IGNORE_INDEX).count();
        let most = i64::try_from(self.setup.options.model_max_length).unwrap_or(i64::MAX);
        let compared = labelled.cur_len.is_some_and(|cur| cur < most);
        let compared = compared && self.plan().arithmetic(false).is_some();
        let delta = labelled.cur_len.zip(labelled.total_len).map(|(cur, total)| cur - total);
        Lengths {
            tokens: labelled.input_ids.len(),
            learned,
            lost: would.saturating_sub(labelled.supervised()),
            delta: delta.filter(|_| compared),
        }
    }

    /// The sample that a record holds, and its value of the source key.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(&self, record: &Record) -> Parsed {
        let value: serde_json::Value = serde_json::from_slice(&record.bytes).map_err(|e| e.to_string())?;
        let line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
        let index = usize::try_from(record.place.index).unwrap_or(usize::MAX);
        let file = std::path::Path::new(&record.place.file);
        let sample = sample_of(&value, index, line, file).map_err(|e| e.to_string())?;
        let source = self.source_key.as_ref().map(|key| match value.get(key) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "(none)".to_string(),
        });
        Ok((sample, source))
    }
}

/// A sample with the value of the source key, or why the record is none.
type Parsed = std::result::Result<(Sample, Option<String>), String>;

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
