//! The work on a batch of records: parse, label, diagnose, count. Nothing here reads or prints.

use std::sync::Arc;

use rayon::prelude::*;

use super::report::{BadRecord, CauseCount, Example, Report, SourceCount};
use crate::chat::{Sample, sample_of};
use crate::data::Record;
use crate::diagnose::{Plan, Verdict, diagnose_plan};
use crate::error::Result;
use crate::labels::Inspection;
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
    /// Key of a record whose values are counted one by one.
    source_key: Option<String>,
}

impl Scanner {
    /// A scanner for a set-up.
    pub fn new(setup: Arc<Setup>, source_key: Option<String>) -> Self {
        Self { setup, source_key }
    }

    /// A report without any sample.
    pub fn empty(&self) -> Report {
        let setup = &self.setup;
        Report::new(&setup.tokenizer.name, &setup.template.name, setup.rule.name())
    }

    /// Parses, labels and diagnoses records on all cores; the result does not depend on how many there are.
    ///
    /// # Errors
    /// None of the records': those are counted. Only reports that do not fit together, which is a bug.
    pub fn scan(&self, records: &[Record]) -> Result<Batch> {
        let parsed: Vec<Parsed> = records.par_iter().map(|record| self.parse(record)).collect();
        let mut report = self.empty();
        let mut samples = Vec::new();
        let mut places = Vec::new();
        let mut judged = Vec::with_capacity(records.len());
        for (record, parsed) in records.iter().zip(parsed) {
            match parsed {
                Ok((sample, source)) => {
                    judged.push(Judged { id: Some(sample.id.clone()), state: None });
                    places.push((judged.len() - 1, &record.place, source));
                    samples.push(sample);
                }
                Err(message) => {
                    judged.push(Judged { id: None, state: None });
                    report.bad_records += 1;
                    let place = record.place.clone();
                    report.bad.push(BadRecord {
                        file: place.file,
                        line: place.line,
                        byte: place.byte,
                        message,
                    });
                }
            }
        }
        let inspections: Vec<Inspection> = samples.par_iter().map(|s| self.setup.inspect(s)).collect();
        report.samples = u64::try_from(samples.len()).unwrap_or(u64::MAX);
        for ((inspection, sample), (at, _, source)) in inspections.iter().zip(&samples).zip(&places) {
            let state = State::of(inspection);
            if let Some(judged) = judged.get_mut(*at) {
                judged.state = Some(state);
            }
            *report.by_state.entry(state.name().to_string()).or_default() += 1;
            let rounds = sample.conversations.iter().filter(|t| t.from == "gpt").count();
            *report.by_rounds.entry(u64::try_from(rounds).unwrap_or(u64::MAX)).or_default() += 1;
            if let Ok(labelled) = &inspection.result {
                let would = labelled.labels_before_check.iter().filter(|l| **l >= 0).count();
                let learned = labelled.supervised();
                report.add_lengths(labelled.input_ids.len(), learned, would.saturating_sub(learned));
            }
            if let Some(source) = source {
                let count = report.by_source.entry(source.clone()).or_default();
                *count = SourceCount {
                    samples: count.samples + 1,
                    lost: count.lost + u64::from(state != State::Sound),
                };
            }
        }
        let found = diagnose_plan(Plan::of(&self.setup), &samples, &inspections, &[]);
        for finding in found.findings.iter().filter(|f| f.verdict > Verdict::Ok && !f.samples.is_empty()) {
            let example = |index: &usize| {
                let (_, place, _) = places.get(*index)?;
                let id = samples.get(*index)?.id.clone();
                Some(Example { file: place.file.clone(), byte: place.byte, line: place.line, id })
            };
            let cause = CauseCount {
                title: finding.title.to_string(),
                verdict: finding.verdict.name().to_string(),
                samples: u64::try_from(finding.samples.len()).unwrap_or(u64::MAX),
                examples: finding.samples.iter().take(10).filter_map(example).collect(),
            };
            report.by_cause.insert(finding.id.to_string(), cause);
        }
        let mut whole = self.empty();
        whole.merge(report)?;
        Ok(Batch { report: whole, judged })
    }

    fn parse(&self, record: &Record) -> Parsed {
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
