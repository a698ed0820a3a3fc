//! Opening files that may be anything: a pipe waits for ever, a device or a sparse file never ends.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a plain file of at most `most` bytes; gives its size too.
fn open_plain(path: &Path, most: u64) -> Result<(File, u64)> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if !metadata.is_file() {
        return Err(Error::format(path, "this is not a regular file"));
    }
    if metadata.len() > most {
        let message = format!("{} bytes are too many for such a file ({most} are the most)", metadata.len());
        return Err(Error::format(path, message));
    }
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    Ok((file, metadata.len()))
}

/// The bytes of a plain file.
///
/// # Errors
/// What the system refuses, anything that is no plain file (it is not opened), a file of more than `most` bytes.
pub fn read_plain(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (file, size) = open_plain(path, most)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // A file that grows meanwhile is cut off.
    file.take(most).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    Ok(bytes)
}
