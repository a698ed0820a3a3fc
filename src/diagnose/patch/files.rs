//! A patch as files in a folder: one a piece, each named for the place where it goes.

use std::path::{Path, PathBuf};

use super::pieces::Patch;
use super::work::RepositoryPatch;
use crate::atomic_write::{self, Durability};
use crate::error::{Error, Result};

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
    std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
    let mut written = Vec::new();
    for (file, place, code) in pieces {
        let path = folder.join(file);
        atomic_write::write(&path, code.as_bytes(), Durability::Process)
            .map_err(|e| Error::write(&path, e))?;
        written.push((path, place));
    }
    Ok(written)
}

/// Writes the diff beside the pieces, under the patch's name.
///
/// # Errors
/// What the file system refuses.
pub fn write_diff(folder: &Path, patch: &Patch, placed: &RepositoryPatch) -> Result<PathBuf> {
    let path = folder.join(format!("{}.diff", patch.name));
    atomic_write::write(&path, placed.diff.as_bytes(), Durability::Process)
        .map_err(|e| Error::write(&path, e))?;
    Ok(path)
}
