//! A patch as files in a folder: one a piece, each named for the place where it goes.

use std::path::{Path, PathBuf};

use super::Patch;
use crate::atomic_write::{self, Durability};
use crate::error::{Error, Result};

impl Patch {
    /// The pieces: file name, the place that it belongs to, and the text.
    pub fn pieces(&self) -> [(&'static str, &'static str, &str); 7] {
        [
            ("tokenizer.py", "train.py, after the tokenizer is made", &self.tokenizer_lines),
            ("preprocess.py", "train.py, beside the other preprocess functions", &self.function),
            ("dispatch.py", "train.py, in preprocess(), before the other choices", &self.dispatch),
            ("template.py", "conversation.py", &self.template),
            ("registration.py", "conversation.py, in conv_templates", &self.registration),
            ("flags.txt", "the scripts of the stages", &self.flags),
            ("test_labels.py", "a test of your own", &self.pytest),
        ]
    }
}

/// Writes a patch into a folder, which is made where it is not there. Gives each path with the place of its text.
///
/// # Errors
/// What the file system refuses; and, unless `overwrite`, a file that is there already, before anything is written.
pub fn write_patch(folder: &Path, patch: &Patch, overwrite: bool) -> Result<Vec<(PathBuf, &'static str)>> {
    let pieces = patch.pieces();
    if !overwrite && let Some((file, ..)) = pieces.iter().find(|(file, ..)| folder.join(file).exists()) {
        let path = folder.join(file);
        return Err(Error::Usage(format!("{} is there already: name another folder", path.display())));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut written = Vec::new();
    for (file, place, code) in pieces {
        let path = folder.join(file);
        atomic_write::write(&path, code.as_bytes(), Durability::Process).map_err(|e| Error::io(&path, e))?;
        written.push((path, place));
    }
    Ok(written)
}
