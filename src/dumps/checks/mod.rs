//! What is wrong with rows that a trainer was fed, found row by row and decided for the file as a whole.
//!
//! ```text
//! FedRow ─► look: what the row has (a few bytes) ─► DumpChecks::add ─► finish: findings
//! ```
//!
//! Some faults show in a row alone. Others only beside the other rows: whether eos is supervised at all, what share of tokens is
//! usual, which rows are there twice. So each row leaves a few numbers behind, and nothing else is kept of it.

mod check;
mod findings;
mod look;

use std::collections::HashMap;

use super::convention::Convention;
use super::fed::FedRow;
use super::row::DumpRow;
use super::token_facts::TokenFacts;
use crate::diagnose::Finding;

pub use check::{DUMP_CHECKS, DumpCheck};
pub use look::{RowHit, RowHits, RowLook};

/// Rows that a finding names; further ones are counted.
const MOST_NAMED: usize = 100_000;

/// What all rows came to so far.
#[derive(Debug, Clone, Default)]
pub struct DumpChecks {
    pub rows: usize,
    pub tokens: u64,
    pub content: u64,
    pub supervised: u64,
    /// Documents of packed rows, one a row where rows are not packed.
    pub documents: u64,
    hits: [RowList; RowHits::COUNT],
    /// Rows in which an answer's end is supervised, and those in which one stands unsupervised behind its answer.
    closed: usize,
    open: RowList,
    /// Rows that end within an answer.
    unclosed: RowList,
    /// Supervised share of each row that has one.
    shares: Vec<(usize, f32)>,
    seen: HashMap<u64, usize>,
    repeated: RowList,
    /// Evidence of the first row with each fault.
    first: [Option<String>; RowHits::COUNT],
    labelled: bool,
    has_attention: bool,
    has_positions: bool,
}

/// Rows by number, the first of them by name.
#[derive(Debug, Clone, Default)]
struct RowList {
    named: Vec<usize>,
    count: usize,
}

impl RowList {
    fn push(&mut self, row: usize) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(row);
        }
    }
}

impl DumpChecks {
    /// Looks at a row without counting it; rows may be looked at side by side.
    pub fn look(convention: &Convention, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) -> RowLook {
        look::look(convention, row, fed, facts)
    }

    /// Counts a row, in the order of the file.
    pub fn add(&mut self, look: RowLook) {
        let row = self.rows;
        self.rows += 1;
        self.tokens += look.tokens;
        self.content += look.content;
        self.supervised += look.supervised;
        self.documents += look.documents;
        self.labelled |= look.labelled;
        self.has_attention |= look.has_attention;
        self.has_positions |= look.has_positions;
        for hit in RowHits::ALL.into_iter().filter(|hit| look.hits.has(*hit)) {
            if let Some(list) = self.hits.get_mut(hit.index()) {
                list.push(row);
            }
            if let Some(first) = self.first.get_mut(hit.index()) {
                first.get_or_insert_with(|| look.evidence_of(hit));
            }
        }
        self.closed += usize::from(look.closed > 0);
        if look.open > 0 {
            self.open.push(row);
        }
        if look.unclosed {
            self.unclosed.push(row);
        }
        if look.supervised > 0 && look.content > 0 {
            self.shares.push((row, look.supervised as f32 / look.content as f32));
        }
        match self.seen.entry(look.hash) {
            std::collections::hash_map::Entry::Occupied(_) => self.repeated.push(row),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(row);
            }
        }
    }

    /// One finding a check, in the order of their ids.
    pub fn finish(&self, convention: &Convention, facts: &TokenFacts) -> Vec<Finding> {
        DUMP_CHECKS.iter().map(|check| check.finding(self, convention, facts)).collect()
    }
}
