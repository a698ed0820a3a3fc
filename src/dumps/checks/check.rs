//! The checks of a dump: a stable id, a title, and what the rows come to.

use super::outcome::DumpOutcome;
use super::tally::DumpChecks;
use crate::diagnose::Finding;
use crate::dumps::convention::Convention;
use crate::dumps::token_facts::TokenFacts;

use super::findings;
use super::look::{RowHit, RowLook};

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
    check("MSK114", "routes of experts are missing or wrong", findings::routes, None),
];

impl DumpChecks {
    /// One finding a check, in the order of their ids.
    pub fn finish(&self, convention: &Convention, facts: &TokenFacts) -> Vec<Finding> {
        DUMP_CHECKS.iter().map(|check| check.finding(self, convention, facts)).collect()
    }
}
