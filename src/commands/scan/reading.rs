//! Records in batches, read ahead while the batch before is looked at.

use std::sync::atomic::{AtomicBool, Ordering};

use super::input::Input;
use crate::chat::FileShape;
use crate::data::{ByteCounter, Record, Records};
use crate::error::Result;
use crate::scan::ScanPosition;

/// What decides which records are read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Which part, from 1, of how many.
    pub shard: (u64, u64),
    /// Every line is a record.
    pub by_line: bool,
    /// Records of a full batch.
    pub most: usize,
}

/// Bytes from which on a batch is full: of long records fewer come together.
const BATCH_BYTES: usize = 64 << 20;

/// Records that come together, and the place behind the last one.
#[derive(Debug, Default)]
pub struct Filled {
    pub records: Vec<Record>,
    pub position: ScanPosition,
    /// Nothing follows.
    pub last: bool,
}

/// Reads one input after another.
pub struct ScanReading<'a> {
    inputs: &'a [Input],
    meter: ByteCounter,
    wanted: Wanted,
    position: ScanPosition,
    open: Option<Records>,
    /// Of the input under way.
    shape: FileShape,
    /// Of the inputs before it, by name.
    shapes: Vec<(String, FileShape)>,
    stopped: &'a AtomicBool,
}

impl<'a> ScanReading<'a> {
    /// Everything behind `position`, until `stopped`.
    pub fn new(
        inputs: &'a [Input],
        meter: ByteCounter,
        wanted: Wanted,
        position: ScanPosition,
        stopped: &'a AtomicBool,
    ) -> Self {
        Self {
            inputs,
            meter,
            wanted,
            position,
            open: None,
            shape: FileShape::default(),
            shapes: Vec::new(),
            stopped,
        }
    }

    /// The next batch.
    ///
    /// # Errors
    /// An input that cannot be read.
    pub fn fill(&mut self) -> Result<Filled> {
        let mut records = Vec::with_capacity(self.wanted.most.min(1 << 16));
        let mut bytes = 0;
        while records.len() < self.wanted.most && bytes < BATCH_BYTES {
            let next = if self.stopped.load(Ordering::Relaxed) { None } else { self.next()? };
            let Some(record) = next else {
                return Ok(Filled { records, position: self.position, last: true });
            };
            let (shard, shards) = self.wanted.shard;
            let mine = self.position.number % shards == shard - 1;
            self.position.record += 1;
            self.position.number += 1;
            if mine {
                bytes += record.bytes.len();
                records.push(record);
            }
        }
        Ok(Filled { records, position: self.position, last: false })
    }

    /// The next record of the input under way, or the first one of the next.
    fn next(&mut self) -> Result<Option<Record>> {
        loop {
            let Some(input) = self.inputs.get(self.position.source) else { return Ok(None) };
            let records = match &mut self.open {
                Some(records) => records,
                None => {
                    let mut records = input.open(&self.meter)?.by_line(self.wanted.by_line);
                    for _ in 0..self.position.record {
                        records.next().transpose()?;
                    }
                    self.open.insert(records)
                }
            };
            if let Some(record) = records.next().transpose()? {
                self.shape.count(&record);
                return Ok(Some(record));
            }
            self.shape.quirks = records.quirks();
            self.shapes.push((input.name(), std::mem::take(&mut self.shape)));
            self.open = None;
            // The place behind the last record of the last input stays in it.
            if self.position.source + 1 >= self.inputs.len() {
                return Ok(None);
            }
            self.position.source += 1;
            self.position.record = 0;
        }
    }

    /// What was seen of the inputs that were read to their end, by name.
    pub fn into_shapes(self) -> Vec<(String, FileShape)> {
        self.shapes
    }
}
