//! The checks of a dump: a stable id, a title, and what the rows come to.

use super::DumpChecks;
use crate::diagnose::{Evidence, Finding, Verdict};
use crate::dumps::convention::Convention;
use crate::dumps::token_facts::TokenFacts;

use super::findings;
use super::look::{RowHit, RowLook};

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

/// A check of a dump.
#[derive(Clone, Copy)]
pub struct DumpCheck {
    pub id: &'static str,
    pub title: &'static str,
    run: fn(&DumpChecks, &Convention, &TokenFacts) -> DumpOutcome,
    /// The fault that a row shows by itself.
    hit: Option<RowHit>,
}

impl std::fmt::Debug for DumpCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpCheck").field("id", &self.id).finish_non_exhaustive()
    }
}

impl DumpCheck {
    /// Whether a row shows it by itself.
    pub fn hits(&self, look: &RowLook) -> bool {
        self.hit.is_some_and(|hit| look.hits.has(hit))
    }

    pub(super) fn finding(
        &self,
        checks: &DumpChecks,
        convention: &Convention,
        facts: &TokenFacts,
    ) -> Finding {
        let DumpOutcome { verdict, rows, evidence, cause } = (self.run)(checks, convention, facts);
        Finding { id: self.id, verdict, title: self.title, samples: rows, evidence, cause, fix: None }
    }
}

const fn check(
    id: &'static str,
    title: &'static str,
    run: fn(&DumpChecks, &Convention, &TokenFacts) -> DumpOutcome,
    hit: Option<RowHit>,
) -> DumpCheck {
    DumpCheck { id, title, run, hit }
}

/// All checks of a dump, by id.
pub const DUMP_CHECKS: &[DumpCheck] = &[
    check("MSK101", "labels stand at another place", findings::off_by_one, Some(RowHit::OffByOne)),
    check("MSK102", "nothing is supervised", findings::nothing_supervised, Some(RowHit::NothingSupervised)),
    check("MSK103", "eos is not supervised", findings::eos, None),
    check("MSK104", "padding is supervised", findings::pad_supervised, Some(RowHit::PadSupervised)),
    check("MSK105", "media tokens are supervised", findings::media_supervised, Some(RowHit::MediaSupervised)),
    check(
        "MSK106",
        "a document's first token is predicted from the document before",
        findings::crosses_documents,
        Some(RowHit::CrossesDocuments),
    ),
    check("MSK107", "positions go on over documents", findings::positions, Some(RowHit::PositionsNotReset)),
    check(
        "MSK108",
        "attention_mask and padding disagree",
        findings::attention,
        Some(RowHit::AttentionOverPad),
    ),
    check("MSK109", "ids without a token", findings::vocabulary, Some(RowHit::BeyondVocabulary)),
    check("MSK110", "rows end within an answer", findings::truncated, None),
    check("MSK111", "rows are there more than once", findings::duplicates, None),
    check("MSK112", "supervised share far from the other rows'", findings::share, None),
    check("MSK113", "fields of a row differ in length", findings::unfitting, Some(RowHit::Unfitting)),
];
