//! What all rows came to, as far as they were added.

use std::collections::HashMap;

use super::look::{self, RowHits, RowLook};
use crate::dumps::convention::Convention;
use crate::dumps::fed::FedRow;
use crate::dumps::routes::RouteCounts;
use crate::dumps::row::DumpRow;
use crate::dumps::token_facts::TokenFacts;

/// Rows that a finding names; further ones are counted.
pub(super) const MOST_NAMED: usize = 100_000;

/// What all rows came to so far.
#[derive(Debug, Clone, Default)]
pub struct DumpChecks {
    pub rows: usize,
    pub tokens: u64,
    pub content: u64,
    pub supervised: u64,
    /// Documents of packed rows, one a row where rows are not packed.
    pub documents: u64,
    pub(super) hits: [RowList; RowHits::COUNT],
    /// Rows in which an answer's end is supervised, and those in which one stands unsupervised behind its answer.
    pub(super) closed: usize,
    pub(super) open: RowList,
    /// Rows that end within an answer.
    pub(super) unclosed: RowList,
    /// Supervised share of each row that has one.
    pub(super) shares: Vec<(usize, f32)>,
    seen: HashMap<u64, usize>,
    pub(super) repeated: RowList,
    /// Evidence of the first row with each fault.
    pub(super) first: [Option<String>; RowHits::COUNT],
    /// Experts that the rows name, counted by whoever has the rows.
    pub routes: RouteCounts,
    pub(super) labelled: bool,
    pub(super) has_attention: bool,
    pub(super) has_positions: bool,
}

/// Rows by number, the first of them by name.
#[derive(Debug, Clone, Default)]
pub(super) struct RowList {
    pub(super) named: Vec<usize>,
    pub(super) count: usize,
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
}
