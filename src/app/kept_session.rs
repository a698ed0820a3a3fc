//! What was open when the program ended last: a set-up file of the user's state folder, offered at the next start.
//!
//! It is a convenience, as the lists of [`super::recent`] are: what cannot be written is let be.

use std::path::{Path, PathBuf};

use super::recent::{session_file, write_state};
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
    // A set-up that no file can say is not kept. The program is about to end: nobody could do anything about a file that
    // cannot be written.
    let Ok(file) = SetupFile::new(request, data, Some(&path)) else { return };
    let of_template = file.template.iter().map(|(template, source)| (template.as_path(), source.as_bytes()));
    for (file, bytes) in of_template.chain([(path.as_path(), file.text.as_bytes())]) {
        if write_state(file, bytes).is_err() {
            return;
        }
    }
}
