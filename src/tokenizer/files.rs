//! The files of one tokenizer, wherever they are: embedded in the program or in a folder on disk.
//!
//! Readers ask for a file by its hub name and get its bytes, or `None` when it is not there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::guard;

/// No tokenizer file of the hub comes near this; a larger one is refused instead of read into memory.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// Values of a JSON file that is read as a whole; a tokenizer.json of today has two million.
const MAX_JSON_VALUES: usize = 8_000_000;

/// The folder of named chat templates, as file names begin there.
pub const CHAT_TEMPLATES: &str = "additional_chat_templates/";

/// Where the bytes of one file are.
#[derive(Debug, Clone)]
enum FileSource {
    Embedded(&'static [u8]),
    Disk(PathBuf),
    /// A file of the folder that is not read, and why.
    Refused(PathBuf, String),
}

/// A set of files by their hub names (`tokenizer.json`, `qwen.tiktoken`, …).
#[derive(Debug, Clone, Default)]
pub struct FileSet {
    label: String,
    files: BTreeMap<String, FileSource>,
}

impl FileSet {
    /// Files compiled into the program. `label` is what messages call the set.
    pub fn embedded(label: &str, files: &[(&'static str, &'static [u8])]) -> Self {
        let files =
            files.iter().map(|(name, bytes)| (name.to_string(), FileSource::Embedded(bytes))).collect();
        Self { label: label.to_string(), files }
    }

    /// The files directly in `dir`, and those of its `additional_chat_templates`. Links that lead out of the folder and
    /// what is no regular file are known by name, and refused when they are read.
    pub fn folder(dir: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut add = |inner: &Path, prefix: &str| -> Result<()> {
            for entry in std::fs::read_dir(inner).map_err(|e| Error::io(inner, e))? {
                let entry = entry.map_err(|e| Error::io(inner, e))?;
                let path = entry.path();
                let name = entry.file_name();
                // A link to nothing is no file.
                let is_there = path.exists() && !path.is_dir();
                let (Some(name), true) = (name.to_str(), is_there) else { continue };
                let source = match guard::check_inside(dir, &path) {
                    Ok(()) => FileSource::Disk(path),
                    Err(refusal) => FileSource::Refused(path, refusal.to_string()),
                };
                files.insert(format!("{prefix}{name}"), source);
            }
            Ok(())
        };
        add(dir, "")?;
        let more = dir.join(CHAT_TEMPLATES.trim_end_matches('/'));
        if more.is_dir() {
            add(&more, CHAT_TEMPLATES)?;
        }
        Ok(Self { label: dir.display().to_string(), files })
    }

    /// A single file, under its own name.
    pub fn single(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|n| n.to_str());
        let name = name.ok_or_else(|| Error::format(path, "the file name is not valid UTF-8"))?;
        let files = BTreeMap::from([(name.to_string(), FileSource::Disk(path.to_path_buf()))]);
        Ok(Self { label: path.display().to_string(), files })
    }

    /// The set without one of its files.
    pub fn without(mut self, name: &str) -> Self {
        self.files.remove(name);
        self
    }

    /// What messages call this set.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The path that an error about file `name` should show.
    pub fn path_of(&self, name: &str) -> PathBuf {
        match self.files.get(name) {
            Some(FileSource::Disk(path) | FileSource::Refused(path, _)) => path.clone(),
            _ => PathBuf::from(format!("{}/{name}", self.label)),
        }
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// True when there is a file of that name.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The first file whose name ends in `suffix`.
    pub fn find_suffix(&self, suffix: &str) -> Option<&str> {
        self.names().find(|n| n.ends_with(suffix))
    }

    /// The bytes of a file; `None` when there is none of that name.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match self.files.get(name) {
            None => Ok(None),
            Some(FileSource::Embedded(bytes)) => Ok(Some(Cow::Borrowed(bytes))),
            Some(FileSource::Refused(path, reason)) => Err(Error::format(path, reason.clone())),
            Some(FileSource::Disk(path)) => {
                guard::read_plain(path, MAX_FILE_BYTES).map(|b| Some(Cow::Owned(b)))
            }
        }
    }

    /// A reader over a file, for those who need its beginning only; `None` when it is not there.
    pub fn open(&self, name: &str) -> Result<Option<Box<dyn Read>>> {
        match self.files.get(name) {
            None => Ok(None),
            Some(FileSource::Embedded(bytes)) => Ok(Some(Box::new(*bytes))),
            Some(FileSource::Refused(path, reason)) => Err(Error::format(path, reason.clone())),
            Some(FileSource::Disk(path)) => {
                regular_file_size(path)?;
                let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
                Ok(Some(Box::new(std::io::BufReader::new(file))))
            }
        }
    }

    /// The first `len` bytes of a file (fewer where it is shorter); empty when it is not there.
    pub fn head(&self, name: &str, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(reader) = self.open(name)? {
            reader.take(len).read_to_end(&mut bytes).map_err(|e| Error::io(self.path_of(name), e))?;
        }
        Ok(bytes)
    }

    /// The set with a file under another name.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Some(source) = self.files.remove(from) {
            self.files.insert(to.to_string(), source);
        }
        self
    }

    /// The bytes of a file that must be there.
    pub fn require(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        self.read(name)?.ok_or_else(|| Error::format(&self.label, format!("{name} is missing")))
    }

    /// A file as JSON; `None` when it is not there.
    pub fn json(&self, name: &str) -> Result<Option<serde_json::Value>> {
        match self.read(name)? {
            None => Ok(None),
            Some(bytes) => {
                let path = self.path_of(name);
                if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] = *bytes {
                    return Err(Error::format(path, "this file is UTF-16; write it as UTF-8, which JSON is"));
                }
                let values = guard::json_values(&bytes);
                if values > MAX_JSON_VALUES {
                    let message = format!("{values} JSON values are too many for a tokenizer file");
                    return Err(Error::format(path, message));
                }
                serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::json(path, &e))
            }
        }
    }
}

/// The size of a file; what is no regular file (a pipe, a device) might never end.
fn regular_file_size(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(Error::format(path, "this is not a regular file")),
    }
}
