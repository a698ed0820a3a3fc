//! The files of a repository while they are on screen: a change on disk is seen within a second, and the function read again.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::job::JobContext;
use crate::repository::{LineEdit, RepositoryFunction};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Files with the changes that are made to them in memory.
#[derive(Debug, Clone)]
pub struct WatchedFiles {
    root: PathBuf,
    files: Vec<String>,
    edits: Vec<LineEdit>,
}

/// What was changed on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesChanged {
    pub names: Vec<String>,
    /// The changes in memory that still fit.
    pub edits: Vec<LineEdit>,
    /// Those that do not: their lines are others by now.
    pub dropped: usize,
}

/// When a file was written, and its size; `None` for one that is not there.
type Stamp = Option<(SystemTime, u64)>;

impl WatchedFiles {
    /// The files that a function was read from.
    pub fn new(function: &RepositoryFunction, edits: &[LineEdit]) -> Self {
        Self {
            root: function.checkout().root().to_path_buf(),
            files: function.files(),
            edits: edits.to_vec(),
        }
    }

    /// Looks at the files until the job is cancelled; says what changed each time.
    pub fn watch(&self, job: &JobContext<'_>, say: impl Fn(FilesChanged)) {
        let mut known = self.stamps();
        while !job.is_cancelled() {
            thread::sleep(LOOK);
            let now = self.stamps();
            if now == known {
                continue;
            }
            // An editor may be in the middle of writing: what is there for one more look is taken.
            thread::sleep(LOOK);
            if self.stamps() != now {
                continue;
            }
            let differs = |(_, (old, new)): &(&String, (&Stamp, &Stamp))| old != new;
            let pairs = self.files.iter().zip(known.iter().zip(&now));
            let names: Vec<String> = pairs.filter(differs).map(|(name, _)| name.clone()).collect();
            known = now;
            say(self.changed(names));
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let stamp = |path: &Path| {
            let facts = std::fs::metadata(path).ok()?;
            Some((facts.modified().ok()?, facts.len()))
        };
        self.files.iter().map(|file| stamp(&self.root.join(file))).collect()
    }

    fn changed(&self, names: Vec<String>) -> FilesChanged {
        let fits = |edit: &&LineEdit| {
            let text = std::fs::read_to_string(self.root.join(&edit.file)).unwrap_or_default();
            edit.apply(&text).is_some()
        };
        let edits: Vec<LineEdit> = self.edits.iter().filter(fits).cloned().collect();
        FilesChanged { names, dropped: self.edits.len() - edits.len(), edits }
    }
}
