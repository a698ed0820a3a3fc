//! What the doctor says: findings as plain data.

use serde::Serialize;

use super::delta_fit::DeltaFits;
use super::fix::Fix;

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
pub struct Report {
    /// One a check, in the order of their ids.
    pub findings: Vec<Finding>,
    /// The measured law of the difference.
    #[serde(rename = "laws")]
    pub delta_fits: DeltaFits,
    /// What was not checked.
    pub not_checked: Vec<String>,
}

impl Report {
    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// The finding of a check.
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|f| f.id == id)
    }
}
