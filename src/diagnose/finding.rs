//! What the doctor says: findings as plain data.

use serde::Serialize;

use super::delta_fit::DeltaFits;
use super::fix::Fix;
use crate::labels::StatusCounts;

/// How bad it is, from harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The check could not be made; the finding says why.
    Skipped,
    Ok,
    /// Worth knowing; training is right.
    Note,
    /// Training goes on without a word, but not as meant, or will as soon as the data changes.
    Warn,
    /// Samples are lost.
    Error,
}

impl Verdict {
    /// One character for it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Skipped => "–",
            Self::Ok => "✓",
            Self::Note => "i",
            Self::Warn => "!",
            Self::Error => "✗",
        }
    }

    /// In lower case, as printed and as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One measured fact. Values may hold text from outside: show them through the safe-display door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub what: String,
    pub value: String,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable rule id, `MSK003`.
    pub id: &'static str,
    pub verdict: Verdict,
    pub title: &'static str,
    /// Indices of the samples that it is about.
    pub samples: Vec<usize>,
    pub evidence: Vec<Evidence>,
    /// One sentence; for `skipped` the reason.
    pub cause: String,
    pub fix: Option<Fix>,
}

/// All findings of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// One a check, in the order of their ids.
    pub findings: Vec<Finding>,
    /// The measured difference of the lengths.
    #[serde(rename = "laws")]
    pub delta_fits: DeltaFits,
    /// How the samples end.
    pub by_state: StatusCounts,
    /// What was not checked.
    pub not_checked: Vec<String>,
}

impl DoctorReport {
    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// True where a check warns, or a sample is not sound: what the exit status of `doctor` says.
    pub fn has_found(&self) -> bool {
        self.worst() >= Verdict::Warn || !self.by_state.all_sound()
    }

    /// The worst finding that names a sample, from a warning on.
    pub fn worst_of(&self, sample: usize) -> Option<&Finding> {
        let names = |f: &&Finding| f.verdict >= Verdict::Warn && f.samples.contains(&sample);
        self.findings.iter().rev().filter(names).max_by_key(|f| f.verdict)
    }

    /// The finding of a check.
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|f| f.id == id)
    }
}
