//! The files that a scan sorts records and ids into.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::cli::ScanArguments;
use crate::data::Record;
use crate::error::{Error, Result};
use crate::labels::StatusKind;
use crate::scan::ScanBatch;
use crate::text;

/// Those that were asked for.
pub struct Outputs {
    bad_ids: Option<Output>,
    good: Option<Output>,
    bad: Option<Output>,
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    /// Opens a file: empty, or with as many bytes as it had when the state was written.
    fn open(path: &Option<PathBuf>, lengths: Option<&BTreeMap<String, u64>>) -> Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        let io = |e| Error::write(path, e);
        let Some(lengths) = lengths else {
            // Emptied only when it is ours: another scan may be writing it.
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(io)?;
            if file.metadata().map_err(io)?.is_file() {
                lock(&file, path)?;
                file.set_len(0).map_err(io)?;
            }
            return Ok(Some(Self { path: path.clone(), file: BufWriter::new(file) }));
        };
        let length = lengths.get(&name(path)).copied().unwrap_or(0);
        let mut file = OpenOptions::new().write(true).open(path).map_err(io)?;
        lock(&file, path)?;
        let has = file.metadata().map_err(io)?.len();
        if has < length {
            return Err(Error::Usage(format!(
                "{}: {has} bytes are left of the {length} that were written; begin anew without --resume",
                path.display()
            )));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(io)?;
        Ok(Some(Self { path: path.clone(), file: BufWriter::new(file) }))
    }

    fn line(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|e| Error::write(&self.path, e))
    }

    fn empty(&mut self) -> Result<()> {
        let emptied = self.file.flush().and_then(|()| {
            let file = self.file.get_mut();
            if file.metadata()?.is_file() { file.set_len(0).and_then(|()| file.rewind()) } else { Ok(()) }
        });
        emptied.map_err(|e| Error::write(&self.path, e))
    }

    /// Brings everything to the disk; gives the length.
    fn sync(&mut self) -> Result<u64> {
        let synced = self.file.flush().and_then(|()| {
            let file = self.file.get_mut();
            file.sync_data()?;
            file.stream_position()
        });
        synced.map_err(|e| Error::write(&self.path, e))
    }
}

/// Keeps other scans from writing the file while it is open.
fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::format(path, "another scan that runs now writes this file"))
        }
        // A file system without locks is no reason not to write.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn name(path: &std::path::Path) -> String {
    path.display().to_string()
}

impl Outputs {
    /// Opens what was asked for; `lengths` are those of a state that is gone on from.
    pub fn open(arguments: &ScanArguments, lengths: Option<&BTreeMap<String, u64>>) -> Result<Self> {
        Ok(Self {
            bad_ids: Output::open(&arguments.bad_ids, lengths)?,
            good: Output::open(&arguments.write_good, lengths)?,
            bad: Output::open(&arguments.write_bad, lengths)?,
        })
    }

    /// Empties all of them, for a scan that begins anew.
    pub fn empty(&mut self) -> Result<()> {
        for output in [&mut self.bad_ids, &mut self.good, &mut self.bad].into_iter().flatten() {
            output.empty()?;
        }
        Ok(())
    }

    /// Sorts a batch.
    pub fn write(&mut self, records: &[Record], batch: &ScanBatch) -> Result<()> {
        for (record, found) in records.iter().zip(&batch.statuses) {
            let sound = found.status == Some(StatusKind::Sound);
            if let (Some(output), Some(id), false) = (&mut self.bad_ids, &found.id, sound) {
                // An id with a line break in it would be two lines, and one with an escape would steer a terminal.
                output.line(text::plain(&id.replace(['\n', '\r'], " ")).as_bytes())?;
            }
            let target = if sound { &mut self.good } else { &mut self.bad };
            if let Some(output) = target {
                // JSON has line breaks between its parts only, where a blank says the same.
                let line: Vec<u8> =
                    record.bytes.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }).collect();
                output.line(&line)?;
            }
        }
        Ok(())
    }

    /// Brings everything to the disk; gives the length of each file.
    pub fn sync(&mut self) -> Result<BTreeMap<String, u64>> {
        let all = [&mut self.bad_ids, &mut self.good, &mut self.bad].into_iter().flatten();
        all.map(|output| Ok((name(&output.path), output.sync()?))).collect()
    }
}
