//! What a check of a dump says, before it has its id and title.

use crate::diagnose::{Evidence, Verdict};

/// What a check says.
pub(super) struct DumpOutcome {
    pub verdict: Verdict,
    pub rows: Vec<usize>,
    pub evidence: Vec<Evidence>,
    pub cause: String,
}

impl DumpOutcome {
    pub(super) fn ok() -> Self {
        Self { verdict: Verdict::Ok, rows: Vec::new(), evidence: Vec::new(), cause: String::new() }
    }

    pub(super) fn skipped(cause: &str) -> Self {
        Self { verdict: Verdict::Skipped, cause: cause.to_string(), ..Self::ok() }
    }

    pub(super) fn found(verdict: Verdict, rows: &[usize], cause: impl Into<String>) -> Self {
        Self { verdict, rows: rows.to_vec(), evidence: Vec::new(), cause: cause.into() }
    }

    pub(super) fn evidence(mut self, what: &str, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence { what: what.to_string(), value: value.into() });
        self
    }
}
