//! `vocab.json` + `merges.txt`: byte-level BPE as GPT-2 wrote it.

use std::path::Path;

use tokenizers::models::bpe::{BPE, Merges, Vocab};

use super::merges;
use crate::error::{Error, Result};
use crate::tokenizer::files::FileSet;

/// Builds the model. `vocab` is a JSON object token → id; `merges_file` has one pair a line, best first, after an
/// optional `#version` line.
///
/// # Errors
/// Broken JSON, a line that is no pair, or a merge whose parts or result are not in the vocabulary.
pub fn read(vocab: (&[u8], &Path), merges_file: (&[u8], &Path)) -> Result<BPE> {
    let vocabulary: std::collections::HashMap<String, u32> =
        serde_json::from_slice(vocab.0).map_err(|e| Error::json(vocab.1, &e))?;
    let vocabulary: Vocab = vocabulary.into_iter().collect();
    let pairs = read_merges(merges_file.0, merges_file.1)?;
    merges::builder(vocabulary, pairs, None)
        .map_err(|message| Error::format(merges_file.1, message))?
        .build()
        .map_err(|e| Error::format(merges_file.1, format!("these merges do not fit the vocabulary: {e}")))
}

/// The same from a tokenizer's own files.
pub fn read_set(files: &FileSet) -> Result<BPE> {
    let (vocab, merges) = (files.require("vocab.json")?, files.require("merges.txt")?);
    read((&vocab, &files.path_of("vocab.json")), (&merges, &files.path_of("merges.txt")))
}

fn read_merges(bytes: &[u8], path: &Path) -> Result<Merges> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::format(path, format!("not UTF-8: {e}")))?;
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || (index == 0 && line.starts_with("#version")) {
            continue;
        }
        let (left, right) = line
            .split_once(' ')
            .ok_or_else(|| Error::format(path, format!("line {}: expected two tokens", index + 1)))?;
        merges.push((left.to_string(), right.to_string()));
    }
    Ok(merges)
}
