//! From paths to the files of a dump: folders as `datasets.save_to_disk` writes them, cache files, single files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::raw::{PICKLE, RawRows};
use super::{arrow, columns, json, npy, tensors};
use crate::data::{ByteCounter, RecordSource};
use crate::dumps::keys::Keys;
use crate::error::{Error, Result};
use crate::guard;

/// Endings of the files of a dump.
const ENDINGS: &[&str] =
    &[".arrow", ".parquet", ".jsonl", ".json", ".jsonl.gz", ".jsonl.zst", ".safetensors", ".npz", ".npy"];
/// What `datasets` writes beside the data.
const BESIDE: &[&str] = &["dataset_info.json", "state.json", "dataset_dict.json"];
/// Largest of those that is read.
const MOST_BESIDE: u64 = 16 << 20;

/// Something that has rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DumpSource {
    Json(RecordSource),
    Parquet(PathBuf),
    Arrow(PathBuf),
    Safetensors(PathBuf),
    Npz(PathBuf),
    /// Arrays of one dump, a file each.
    Npy(Vec<PathBuf>),
}

impl DumpSource {
    /// Bytes of its files.
    pub(super) fn size(&self) -> Option<u64> {
        let size = |path: &PathBuf| std::fs::metadata(path).ok().map(|data| data.len());
        match self {
            Self::Json(source) => source.size(),
            Self::Parquet(path) | Self::Arrow(path) | Self::Safetensors(path) | Self::Npz(path) => size(path),
            Self::Npy(paths) => paths.iter().map(size).sum(),
        }
    }

    pub(super) fn open(self, keys: &Keys, counter: &ByteCounter) -> Result<RawRows> {
        match self {
            Self::Json(source) => json::rows(&source, keys, counter),
            Self::Parquet(path) => columns::parquet_rows(&path, keys, counter),
            Self::Arrow(path) => arrow::rows(&path, keys, counter),
            Self::Safetensors(path) => tensors::safetensors_rows(&path, counter),
            Self::Npz(path) => tensors::rows(&path, npy::npz_arrays(&path)?, counter),
            Self::Npy(paths) => {
                let first = paths.first().cloned().unwrap_or_default();
                tensors::rows(&first, npy::npy_arrays(&paths, keys)?, counter)
            }
        }
    }

    /// By the first bytes of a file.
    fn of_file(path: &Path) -> Result<Self> {
        let mut head = [0_u8; 9];
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !meta.is_file() {
            // A pipe can be read once only: it is JSON.
            return Ok(Self::Json(RecordSource::File(path.to_path_buf())));
        }
        let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
        let mut got = 0;
        while got < head.len() {
            match file.read(head.get_mut(got..).unwrap_or_default()).map_err(|e| Error::io(path, e))? {
                0 => break,
                n => got += n,
            }
        }
        let path = path.to_path_buf();
        let named = |ending: &str| path.extension().is_some_and(|e| e == ending);
        Ok(match head {
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet(path),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xFF, 0xFF, 0xFF, 0xFF, ..] => Self::Arrow(path),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Npy(vec![path]),
            [b'P', b'K', 3, 4, ..] => Self::Npz(path),
            // A header of eight bytes of length, then JSON.
            [_, _, _, _, 0, 0, 0, 0, b'{'] => Self::Safetensors(path),
            _ if named("safetensors") => Self::Safetensors(path),
            _ if named("arrow") => Self::Arrow(path),
            [0x80, 2..=5, ..] => return Err(Error::format(&path, PICKLE)),
            _ => Self::Json(RecordSource::File(path)),
        })
    }
}

/// The sources of paths, with what was chosen among files.
pub(super) fn sources(paths: &[PathBuf]) -> Result<(Vec<DumpSource>, Vec<String>)> {
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            all.push(DumpSource::Json(RecordSource::Stdin));
        } else if path.is_dir() {
            let files = folder(path, &mut notes, 0)?;
            all.extend(files.iter().map(|file| DumpSource::of_file(file)).collect::<Result<Vec<_>>>()?);
        } else {
            all.push(DumpSource::of_file(path)?);
        }
    }
    // Arrays beside each other are fields of one dump.
    let mut arrays: Vec<PathBuf> = Vec::new();
    let mut rest = Vec::new();
    for source in all {
        match source {
            DumpSource::Npy(paths) => arrays.extend(paths),
            other => rest.push(other),
        }
    }
    if !arrays.is_empty() {
        rest.push(DumpSource::Npy(arrays));
    }
    Ok((rest, notes))
}

/// The files of a folder, in the order of its rows.
fn folder(folder: &Path, notes: &mut Vec<String>, depth: usize) -> Result<Vec<PathBuf>> {
    if let Some(files) = named_in(folder, "state.json", |state| {
        let files = state.get("_data_files")?.as_array()?;
        files.iter().map(|file| Some(file.get("filename")?.as_str()?.to_string())).collect()
    })? {
        return Ok(files);
    }
    if let Some(splits) = named_in(folder, "dataset_dict.json", |dict| {
        let splits = dict.get("splits")?.as_array()?;
        splits.iter().map(|split| Some(split.as_str()?.to_string())).collect()
    })? {
        let files = splits.iter().map(|split| self::folder(split, notes, depth + 1));
        return Ok(files.collect::<Result<Vec<_>>>()?.concat());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| Error::io(folder, e))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    let found: Vec<PathBuf> = entries.iter().filter(|path| is_dump(path)).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    // axolotl prepares into a folder a configuration, named by a hash: the newest is the last run's.
    let prepared = entries.iter().filter(|path| depth < 2 && is_saved(path));
    let newest = prepared.clone().max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    match newest {
        Some(newest) => {
            let count = prepared.count();
            if count > 1 {
                notes.push(format!("{}: the newest of {count} prepared data sets", newest.display()));
            }
            self::folder(newest, notes, depth + 1)
        }
        None => Err(Error::Usage(format!(
            "{}: this folder holds no {} file, and no data set that datasets.save_to_disk wrote",
            folder.display(),
            ENDINGS.join(", ")
        ))),
    }
}

fn is_saved(path: &Path) -> bool {
    path.is_dir() && (path.join("state.json").is_file() || path.join("dataset_dict.json").is_file())
}

fn is_dump(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.is_file() && !BESIDE.contains(&name.as_str()) && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The files that a file of `datasets` names beside itself; `None` where it is not there.
fn named_in(
    folder: &Path,
    name: &str,
    read: impl Fn(&Value) -> Option<Vec<String>>,
) -> Result<Option<Vec<PathBuf>>> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = guard::read_plain(&path, MOST_BESIDE)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| Error::json(&path, &e))?;
    let names = read(&value).ok_or_else(|| Error::format(&path, "this file names no files of a data set"))?;
    let beside = |name: &String| {
        let plain = Path::new(name).components().count() == 1 && !name.contains("..");
        match plain {
            true => Ok(folder.join(name)),
            false => {
                Err(Error::format(&path, format!("it names {name:?}, which lies outside of its folder")))
            }
        }
    };
    names.iter().map(beside).collect::<Result<_>>().map(Some)
}
