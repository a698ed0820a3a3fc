//! From what a person types to the files that are read: files, folders, patterns, standard input.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::byte_counter::{ByteCounter, CountingReader};
use super::parquet::{MAGIC, ParquetRows};
use crate::error::{Error, Result};

/// Endings of data files in a folder.
const ENDINGS: &[&str] = &[".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst", ".parquet"];

/// One stream of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordSource {
    File(PathBuf),
    Stdin,
}

impl RecordSource {
    /// As messages name it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_string(),
        }
    }

    /// Bytes of the file as it lies on the disk; `None` where that is not known.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len()),
            Self::Stdin => None,
        }
    }

    /// Opens the source; what is read is counted by `counter`. The kind of a file is told from its first bytes, not from
    /// its name.
    ///
    /// # Errors
    /// A file that cannot be opened or read.
    pub(super) fn open(&self, counter: &ByteCounter) -> Result<Opened> {
        let Self::File(path) = self else {
            return Ok(Opened::Json(Box::new(CountingReader {
                inner: std::io::stdin(),
                counter: counter.clone(),
            })));
        };
        refuse_devices(path)?;
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let mut file = CountingReader { inner: file, counter: counter.clone() };
        let mut head = [0; 4];
        let mut got = 0;
        while got < head.len() {
            let rest = head.get_mut(got..).unwrap_or_default();
            match file.read(rest).map_err(|e| Error::io(path, e))? {
                0 => break,
                n => got += n,
            }
        }
        if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] = head {
            return Err(Error::format(path, "this file is UTF-16; write it as UTF-8, which JSON is"));
        }
        if head == MAGIC {
            return Ok(Opened::Parquet(ParquetRows::open(path, counter.clone())?));
        }
        let whole = std::io::Cursor::new(head.get(..got).unwrap_or_default().to_vec()).chain(file);
        let whole = BufReader::with_capacity(1 << 18, whole);
        Ok(Opened::Json(match head {
            [0x1F, 0x8B, ..] => Box::new(MultiGzDecoder::new(whole)),
            [0x28, 0xB5, 0x2F, 0xFD] => {
                Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(|e| Error::io(path, e))?)
            }
            _ => Box::new(whole),
        }))
    }
}

/// A pipe is read as it comes; a device may never end, and a folder is none.
fn refuse_devices(path: &Path) -> Result<()> {
    let kind = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.file_type();
    #[cfg(unix)]
    let is_device = {
        use std::os::unix::fs::FileTypeExt;
        kind.is_char_device() || kind.is_block_device()
    };
    #[cfg(not(unix))]
    let is_device = false;
    // The standard streams are devices where they are a terminal.
    match is_device && !path.starts_with("/dev/std") && !path.starts_with("/dev/fd") || kind.is_dir() {
        true => Err(Error::format(path, "this is not a regular file")),
        false => Ok(()),
    }
}

/// What a source turned out to be.
pub(super) enum Opened {
    /// Bytes of JSON, decompressed.
    Json(Box<dyn Read + Send>),
    Parquet(ParquetRows),
}

/// The sources that arguments name, in their order; files of a folder or a pattern by name.
///
/// # Errors
/// A path that is not there, a pattern that is none or matches nothing.
pub fn sources(arguments: &[PathBuf]) -> Result<Vec<RecordSource>> {
    let mut all = Vec::new();
    for argument in arguments {
        let text = argument.to_string_lossy();
        if text == "-" {
            all.push(RecordSource::Stdin);
        } else if argument.is_dir() {
            all.extend(folder(argument)?);
        } else if argument.exists() || !text.contains(['*', '?', '[']) {
            // A file that is not there is said when it is opened.
            all.push(RecordSource::File(argument.clone()));
        } else {
            let paths = glob::glob(&text).map_err(|e| Error::Usage(format!("{text}: {e}")))?;
            let mut found: Vec<PathBuf> =
                paths.filter_map(|path| path.ok()).filter(|p| p.is_file()).collect();
            if found.is_empty() {
                return Err(Error::Usage(format!("{text}: no file matches this pattern")));
            }
            found.sort();
            all.extend(found.into_iter().map(RecordSource::File));
        }
    }
    Ok(all)
}

/// Whether a name fits a pattern with `*`, `**` and `?`.
pub fn fits_pattern(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

/// True where two paths lead to one plain file, through links too: writing to the one would destroy the other.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    if !a.exists() || !b.exists() {
        // What is not there yet has no second name but by its folder.
        return whole_path(a).is_some_and(|path| Some(path) == whole_path(b));
    }
    // Pipes and devices are not opened: that may block.
    a.is_file() && b.is_file() && same_file::is_same_file(a, b).unwrap_or(false)
}

fn whole_path(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// Folders with data files inside the folders that arguments name. They are not read, so callers warn of them.
pub fn unread_folders(arguments: &[PathBuf]) -> Vec<PathBuf> {
    let inside = arguments.iter().filter_map(|argument| std::fs::read_dir(argument).ok());
    let inside = inside.flat_map(|entries| entries.flatten().map(|entry| entry.path()));
    let mut found: Vec<PathBuf> = inside
        .filter(|path| path.is_dir() && data_files(path).is_ok_and(|files| !files.is_empty()))
        .collect();
    found.sort();
    found
}

fn folder(folder: &Path) -> Result<Vec<RecordSource>> {
    let found = data_files(folder).map_err(|e| Error::io(folder, e))?;
    if found.is_empty() {
        let what = ENDINGS.join(", ");
        let inside = match unread_folders(&[folder.to_path_buf()]).first() {
            Some(inside) => format!("; {} does", inside.display()),
            None => String::new(),
        };
        return Err(Error::Usage(format!("{}: this folder holds no {what} file{inside}", folder.display())));
    }
    Ok(found.into_iter().map(RecordSource::File).collect())
}

/// The data files right in a folder, by name.
fn data_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_data = |path: &PathBuf| {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder)?.flatten().map(|e| e.path()).filter(is_data).collect();
    found.sort();
    Ok(found)
}
