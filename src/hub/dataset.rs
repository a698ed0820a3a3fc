//! Data sets of the hub: `hf://datasets/ORG/NAME[@REV][/PATTERN]`, through the same client and cache as models.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::error::HubError;
use super::fetch::fetch;
use super::id::HubId;
use super::listing::WantedFiles;
use super::options::HubOptions;
use super::progress::DownloadProgress;

/// What such an address begins with.
pub const DATASET_PREFIX: &str = "hf://datasets/";

/// Endings of the files of a data set that are read.
const ENDINGS: &[&str] = &[".parquet", ".jsonl", ".json", ".jsonl.gz", ".jsonl.zst", ".json.gz", ".json.zst"];
/// What describes a data set and is no part of it.
const BESIDE: &[&str] = &["dataset_infos.json", "dataset_info.json", "state.json", "dataset_dict.json"];

/// Files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFiles {
    id: HubId,
    /// Files by name, with `*` and `?`; all of them without it.
    pattern: Option<String>,
}

impl DatasetFiles {
    /// Reads an address; `None` for what is none.
    ///
    /// # Errors
    /// A name that the hub would not accept.
    pub fn parse(text: &str) -> Option<Result<Self, HubError>> {
        let rest = text.strip_prefix(DATASET_PREFIX)?;
        let mut parts = rest.splitn(3, '/');
        let (org, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        // A branch with a slash is written as Python's library writes it.
        let id = format!("{org}/{}", name.replace("%2F", "/").replace("%2f", "/"));
        let pattern = parts.next().filter(|pattern| !pattern.is_empty()).map(String::from);
        Some(HubId::parse(&id).map(|id| Self { id: id.of_dataset(), pattern }))
    }

    /// Brings the files into the cache; gives the pattern that names them there.
    ///
    /// # Errors
    /// As [`fetch`].
    pub fn fetch(
        &self,
        options: &HubOptions,
        takes: &dyn Fn(&str, &str) -> bool,
        progress: &mut dyn FnMut(DownloadProgress) -> ControlFlow<()>,
    ) -> Result<PathBuf, HubError> {
        let is_data = |file: &str| {
            let name = file.rsplit('/').next().unwrap_or(file);
            ENDINGS.iter().any(|ending| name.ends_with(ending)) && !BESIDE.contains(&name)
        };
        let wanted = |file: &str| match &self.pattern {
            Some(pattern) => file == pattern || takes(pattern, file),
            None => is_data(file),
        };
        let folder = fetch(&self.id, options, WantedFiles::Matching(&wanted), progress)?;
        match &self.pattern {
            Some(pattern) => Ok(folder.join(pattern)),
            // Of one kind: what is there as Parquet and as JSON is there twice.
            None => {
                let ending = ENDINGS.iter().find(|ending| has(&folder, ending, 0)).unwrap_or(&".json");
                Ok(folder.join("**").join(format!("*{ending}")))
            }
        }
    }
}

/// Whether a folder has a file with this ending; folders of data sets are a few deep.
fn has(folder: &std::path::Path, ending: &str, depth: usize) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| match path.is_dir() {
        true => depth < 8 && has(&path, ending, depth + 1),
        false => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.ends_with(ending) && !BESIDE.contains(&name.as_str())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| {
            DatasetFiles::parse(text).map(|files| files.map(|f| (f.id.to_string(), f.pattern)).ok())
        };
        assert_eq!(read("file.json"), None);
        assert_eq!(read("hf://datasets/a/b"), Some(Some(("a/b".into(), None))));
        let wanted = ("a/b@refs/convert/parquet".to_string(), Some("x/*.parquet".to_string()));
        assert_eq!(read("hf://datasets/a/b@refs%2Fconvert%2Fparquet/x/*.parquet"), Some(Some(wanted)));
        assert_eq!(read("hf://datasets/a"), Some(None));
        assert_eq!(read("hf://datasets/../b"), Some(None));
    }
}
