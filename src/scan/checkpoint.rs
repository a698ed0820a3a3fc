//! The state of a scan on the disk, so that one that was killed goes on where it was instead of at the beginning.
//!
//! The file is replaced whole: written beside itself, brought to the disk, and renamed. Whenever the process ends, either
//! the old state or the new one is there. What was written to the outputs behind the state is cut off again.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{SCHEMA_VERSION, ScanReport};
use crate::atomic_write::{self, Durability};
use crate::error::{Error, Result};

/// How far the reading is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the source that is read, and records of it that were taken.
    pub source: usize,
    pub record: u64,
    /// Records that were taken of all sources.
    pub number: u64,
}

/// Everything that is needed to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// That of the report within.
    pub schema_version: u32,
    /// What was asked for, by name: another wish cannot go on from here.
    pub asked: BTreeMap<String, String>,
    pub position: Position,
    /// Bytes of each output that belong to the report.
    pub outputs: BTreeMap<String, u64>,
    pub report: ScanReport,
}

impl Checkpoint {
    /// Reads a state; `None` where there is no such file.
    ///
    /// # Errors
    /// A file that is no state, or the state of another wish.
    pub fn load(path: &Path, asked: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
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

    /// Puts the state in the place of an older one.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::json(path, &e))?;
        atomic_write::write(path, &bytes, Durability::PowerCut).map_err(|e| Error::io(path, e))
    }
}
