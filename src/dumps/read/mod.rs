//! The rows of dumps, one after another, whatever the files are.
//!
//! ```text
//! paths ─► sources: files of a folder in their order, .npy files of one dump together
//!            │ by the first bytes, not by the name
//!            ├─► json      JSON lines, arrays; .gz, .zst
//!            ├─► columns   Parquet, Arrow streams and files: record batch by record batch
//!            └─► tensors   safetensors, .npz, .npy: row by row of each array
//! ```

mod arrow;
mod columns;
mod json;
mod npy;
mod raw;
mod sources;
mod tensors;

use std::collections::VecDeque;
use std::path::PathBuf;

use super::keys::Keys;
use super::row::{DumpRow, split_batches};
use crate::data::ByteCounter;
use crate::error::Result;
use raw::RawRows;
use sources::DumpSource;

/// The rows of all sources. An error ends them.
pub struct DumpRows {
    keys: Keys,
    sources: VecDeque<DumpSource>,
    present: Option<RawRows>,
    /// Rows of the batch that was read last.
    batch: VecDeque<DumpRow>,
    counter: ByteCounter,
    /// Bytes of all files; `None` where that is not known.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    total: Option<u64>,
    /// What was chosen among files, in sentences.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for DumpRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpRows").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl DumpRows {
    /// Finds the files that paths name; they are opened one after another.
    ///
    /// # Errors
    /// A path that is not there, a folder without files of a dump.
    pub fn open(paths: &[PathBuf], keys: &Keys) -> Result<Self> {
        let (sources, notes) = sources::sources(paths)?;
        let total = sources.iter().map(DumpSource::size).sum();
        Ok(Self {
            keys: keys.clone(),
            sources: sources.into(),
            present: None,
            batch: VecDeque::new(),
            counter: ByteCounter::default(),
            total,
            notes,
        })
    }

    /// Bytes read so far, and of how many.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.counter.read(), self.total)
    }

    fn advance(&mut self) -> Result<Option<DumpRow>> {
        loop {
            if let Some(row) = self.batch.pop_front() {
                return Ok(Some(row));
            }
            let Some(present) = &mut self.present else {
                let Some(source) = self.sources.pop_front() else { return Ok(None) };
                self.present = Some(source.open(&self.keys, &self.counter)?);
                continue;
            };
            match present.next() {
                None => self.present = None,
                Some(raw) => self.batch = split_batches(raw?, &self.keys)?.into(),
            }
        }
    }
}

impl Iterator for DumpRows {
    type Item = Result<DumpRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if matches!(next, Some(Err(_))) {
            (self.present, self.batch) = (None, VecDeque::new());
            self.sources.clear();
        }
        next
    }
}
