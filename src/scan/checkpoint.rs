//! The state of a scan on the disk, so that one that was killed goes on where it was instead of at the beginning.
//!
//! The file is replaced whole: written beside itself, brought to the disk, and renamed. Whenever the process ends, either
//! the old state or the new one is there. What was written to the outputs behind the state is cut off again.
//!
//! A state begins with a mark of ours, and a file without it is never replaced. The process that keeps a state holds a
//! lock on it, so that no other scan writes into the same files.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{SCHEMA_VERSION, ScanReport};
use crate::atomic_write;
use crate::error::{Error, Result};
use crate::guard;

/// How far the reading is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanPosition {
    /// Index of the source that is read, and records of it that were taken.
    pub source: usize,
    pub record: u64,
    /// Records that were taken of all sources.
    pub number: u64,
}

/// What every state begins with.
const MARK: &str = "maskscope scan state";
/// Bytes of the largest state that is read.
const MOST_BYTES: u64 = 256 << 20;

/// Everything that is needed to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCheckpoint {
    /// [`MARK`]; the first key of the file.
    #[serde(default)]
    pub mark: String,
    /// That of the report within.
    pub schema_version: u32,
    /// What was asked for, by name: another wish cannot go on from here.
    pub asked: BTreeMap<String, String>,
    pub position: ScanPosition,
    /// Bytes of each output that belong to the report.
    pub outputs: BTreeMap<String, u64>,
    pub report: ScanReport,
}

impl ScanCheckpoint {
    /// Reads a state; `None` where there is no such file.
    ///
    /// # Errors
    /// A file that is no state, or the state of another wish.
    pub fn load(path: &Path, asked: &BTreeMap<String, String>) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = guard::read_plain(path, MOST_BYTES)?;
        if !begins_with_mark(&bytes) {
            return Err(not_ours(path));
        }
        let state: Self = serde_json::from_slice(&bytes).map_err(|e| Error::json(path, &e))?;
        let keys = asked.keys().chain(state.asked.keys());
        let other = keys.into_iter().find(|key| asked.get(*key) != state.asked.get(*key));
        if state.schema_version != SCHEMA_VERSION {
            return Err(Error::format(
                path,
                "this state was written by another release of maskscope; remove it",
            ));
        }
        match other {
            None => Ok(Some(state)),
            Some(key) => {
                let text = |of: &BTreeMap<String, String>| of.get(key).cloned().unwrap_or_default();
                Err(Error::Usage(format!(
                    "{}: this is the state of another scan: {key} was {:?} and is {:?} now; give the same options, or \
                     remove the file to begin anew",
                    path.display(),
                    text(&state.asked),
                    text(asked)
                )))
            }
        }
    }

    /// Puts the state in the place of an older one; gives the new file, locked.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn save(&self, path: &Path) -> Result<File> {
        let state = Self { mark: MARK.to_string(), ..self.clone() };
        let bytes = serde_json::to_vec(&state).map_err(|e| Error::json(path, &e))?;
        atomic_write::write_locked(path, &bytes).map_err(|e| Error::write(path, e))
    }

    /// Takes the state file that is there for this process; `None` where there is none. The lock ends with the file.
    ///
    /// # Errors
    /// A file that is no state, and the state of a scan that runs.
    pub fn lock(path: &Path) -> Result<Option<File>> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
            Ok(metadata) if !metadata.is_file() => return Err(not_ours(path)),
            Ok(_) => {}
        }
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let mut head = Vec::new();
        (&file).take(64).read_to_end(&mut head).map_err(|e| Error::io(path, e))?;
        if !begins_with_mark(&head) {
            return Err(not_ours(path));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::format(path, "another scan that runs now keeps its state in this file"))
            }
            // A file system without locks.
            Err(TryLockError::Error(_)) => Ok(Some(file)),
        }
    }
}

fn begins_with_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(format!("{{\"mark\":\"{MARK}\"").as_bytes())
}

fn not_ours(path: &Path) -> Error {
    Error::format(path, "this file is no state of a scan and is not replaced; name another one with --state")
}
