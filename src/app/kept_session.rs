//! What was open when the program ended last: a set-up file of the user's state folder, offered at the next start.
//!
//! It is a convenience, as the lists of [`super::recent`] are: what cannot be written is let be.

use std::path::{Path, PathBuf};

use super::recent::session_file;
use crate::atomic_write::{self, Durability};
use crate::setup::{Request, SetupFile};

/// A set-up and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSession {
    pub request: Request,
    /// The built-in conversations without it.
    pub data: Option<PathBuf>,
}

/// Writes the set-up and its data in the place of what was kept before.
pub fn keep(request: &Request, data: Option<&Path>) {
    let Some(path) = session_file() else { return };
    let write = || -> Option<()> {
        std::fs::create_dir_all(path.parent()?).ok()?;
        let file = SetupFile::new(request, data, Some(&path)).ok()?;
        if let Some((template, source)) = &file.template {
            atomic_write::write(template, source.as_bytes(), Durability::Process).ok()?;
        }
        atomic_write::write(&path, file.text.as_bytes(), Durability::Process).ok()
    };
    // The program is about to end: nobody could do anything about it.
    let _ = write();
}
