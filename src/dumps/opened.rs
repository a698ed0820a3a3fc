//! A dump as a whole: its convention from the first rows, then every row, checked.

use std::path::PathBuf;

use rayon::prelude::*;

use super::checks::{DumpChecks, RowLook};
use super::convention::Convention;
use super::fed::FedRow;
use super::keys::Keys;
use super::read::DumpRows;
use super::row::DumpRow;
use super::token_facts::TokenFacts;
use crate::error::Result;

/// Rows, and tokens of rows, that the convention is told from.
const TOLD_ROWS: usize = 512;
const TOLD_TOKENS: usize = 1 << 20;
/// Rows that are worked on side by side.
const BATCH: usize = 256;
const BATCH_TOKENS: usize = 1 << 20;

/// An opened dump. The rows that the convention was told from come again with the others.
#[derive(Debug)]
pub struct TokenDump {
    pub convention: Convention,
    rows: DumpRows,
    /// Rows that were read and not given yet.
    ahead: std::collections::VecDeque<DumpRow>,
    /// Where reading ahead ended in an error.
    failed: Option<crate::error::Error>,
}

/// A row as it is, as the loss sees it, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct CheckedRow {
    pub row: DumpRow,
    pub fed: FedRow,
    pub look: RowLook,
}

impl TokenDump {
    /// Opens files and tells how they label.
    ///
    /// # Errors
    /// Files that cannot be opened, and no readable row at all.
    pub fn open(paths: &[PathBuf], keys: &Keys, facts: &TokenFacts) -> Result<Self> {
        let mut rows = DumpRows::open(paths, keys)?;
        let (mut ahead, mut tokens, mut failed) = (Vec::new(), 0, None);
        while ahead.len() < TOLD_ROWS && tokens < TOLD_TOKENS {
            match rows.next() {
                None => break,
                Some(Ok(row)) => {
                    tokens += row.ids.len();
                    ahead.push(row);
                }
                Some(Err(error)) if ahead.is_empty() => return Err(error),
                // What was read before the damage is shown; the error comes behind it.
                Some(Err(error)) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let convention = Convention::of(&ahead, facts);
        Ok(Self { convention, rows, ahead: ahead.into(), failed })
    }

    /// What was chosen among files, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.rows.notes
    }

    /// Bytes read so far, and of how many.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn progress(&self) -> (u64, Option<u64>) {
        self.rows.progress()
    }

    fn next_row(&mut self) -> Result<Option<DumpRow>> {
        if let Some(row) = self.ahead.pop_front() {
            return Ok(Some(row));
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.rows.next().transpose(),
        }
    }

    /// The next rows, checked side by side; empty at the end.
    ///
    /// # Errors
    /// What a reader says of its file.
    pub fn next_rows(&mut self, facts: &TokenFacts) -> Result<Vec<CheckedRow>> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        while batch.len() < BATCH && tokens < BATCH_TOKENS {
            match self.next_row() {
                Ok(Some(row)) => {
                    tokens += row.ids.len();
                    batch.push(row);
                }
                Ok(None) => break,
                Err(error) if batch.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        let convention = &self.convention;
        let checked = |row: DumpRow| {
            let fed = convention.feed(&row, facts);
            let look = DumpChecks::look(convention, &row, &fed, facts);
            CheckedRow { row, fed, look }
        };
        Ok(batch.into_par_iter().map(checked).collect())
    }
}
