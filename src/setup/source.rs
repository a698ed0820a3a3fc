//! What a `--tokenizer` value points to: an embedded sample, a folder, a file, or a hub id.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::samples::{SampleTokenizer, TOKENIZERS};
use crate::tokenizer::{FileSet, LoadOptions, Tokenizer, load};

/// Prefix of an embedded sample.
pub const SAMPLE_PREFIX: &str = "sample:";

/// The files that `spec` points to. A path that exists wins over a hub id.
///
/// # Errors
/// An unknown sample, or a path that is not there.
pub fn files_for(spec: &str) -> Result<FileSet> {
    if let Some(name) = spec.strip_prefix(SAMPLE_PREFIX) {
        return SampleTokenizer::named(name).map(SampleTokenizer::files).ok_or_else(|| Error::UnknownName {
            kind: "sample tokenizer",
            name: name.to_string(),
            known: TOKENIZERS.iter().map(|t| t.name.to_string()).collect(),
        });
    }
    let path = Path::new(spec);
    if path.is_dir() {
        FileSet::folder(path)
    } else if path.is_file() {
        FileSet::single(path)
    } else {
        let samples: Vec<String> = TOKENIZERS.iter().map(|t| format!("{SAMPLE_PREFIX}{}", t.name)).collect();
        Err(Error::Usage(format!(
            "{spec}: no such file or folder, and this build does not download from the hub yet; \
             built in are {}",
            samples.join(", ")
        )))
    }
}

/// Loads what `spec` points to. Takes from 50 ms to a second: call it off the drawing thread.
///
/// # Errors
/// As [`files_for`] and [`load`].
pub fn load_tokenizer(spec: &str, options: LoadOptions) -> Result<Arc<Tokenizer>> {
    load(spec, &files_for(spec)?, options).map(Arc::new)
}
