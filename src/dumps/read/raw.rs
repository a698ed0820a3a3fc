//! What every reader of a dump gives, and how it works on a stranger's file.

use std::path::Path;

use crate::dumps::row::RawRow;
use crate::error::{Error, Result};
use crate::guard;

/// Rows as their file has them.
pub(super) type RawRows = Box<dyn Iterator<Item = Result<RawRow>> + Send>;

/// Why nothing pickled is opened.
pub(super) const PICKLE: &str = "this is a Python pickle, which may run code when it is opened and is not read; \
     `maskscope hook transformers` prints lines that write the batches as JSON lines";

/// Runs a step of a library on a stranger's file: its panics and errors become one of ours.
pub(super) fn contained<T, E: std::fmt::Display>(
    path: &Path,
    kind: &str,
    step: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    let _watched = guard::watch(|| path.display().to_string(), guard::time_for(0));
    match guard::contain(step) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::format(path, format!("this {kind} file is broken: {error}"))),
        Err(panic) => Err(Error::format(
            path,
            format!("this {kind} file is broken or of a kind that is not read: {panic}"),
        )),
    }
}
