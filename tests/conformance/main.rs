//! Conformance with results of the real Python code.
//!
//! `MASKSCOPE_CONFORMANCE=DIR cargo test --test conformance -- --include-ignored --nocapture` checks every file of
//! DIR, which has the layout of the golden folder (`golden/labels`, `golden/strings`, …, beside `tokenizers/`).
//! Tests that read it are ignored without `--include-ignored` and fail without the folder: a folder, a file or a
//! record that is not there is a failure, and so is a filter (`MASKSCOPE_CONFORMANCE_ONLY=PART_OF_A_NAME`) that
//! matches nothing.

mod added_tokens;
mod cases;
mod chat;
mod collator;
mod doctor;
mod doctor_table;
mod labels;
mod moe;
mod quick;
mod repos;
mod scan;
mod special;
mod strings;
mod trainers;

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The unpacked golden folder.
pub fn root() -> PathBuf {
    let dir = std::env::var_os("MASKSCOPE_CONFORMANCE").map(PathBuf::from);
    let dir =
        dir.expect("MASKSCOPE_CONFORMANCE is not set: it names a folder that golden/unpack has written");
    assert!(dir.is_dir(), "MASKSCOPE_CONFORMANCE: {} is no folder", dir.display());
    dir
}

/// `MASKSCOPE_CONFORMANCE_ONLY`: what the names of the checked files contain; empty without the variable.
pub fn only() -> String {
    std::env::var("MASKSCOPE_CONFORMANCE_ONLY").unwrap_or_default()
}

/// Fails where nothing was checked: `place` was empty, or `only` matches nothing in it.
pub fn assert_checked(count: usize, place: &Path, only: &str) {
    let why = match only {
        "" => "holds no record that was checked".to_string(),
        only => format!("holds nothing whose name contains {only:?} (MASKSCOPE_CONFORMANCE_ONLY)"),
    };
    assert!(count > 0, "{} {why}", place.display());
}

/// The text of a file, expanded when its name ends in `.gz`.
pub fn read_text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if path.extension().is_some_and(|e| e == "gz") {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text
    } else {
        String::from_utf8(bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

/// The records of a `.jsonl` or `.jsonl.gz` file; at least one.
pub fn records(path: &Path) -> Vec<Value> {
    let text = read_text(path);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let record = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let records: Vec<Value> = lines.map(record).collect();
    assert!(!records.is_empty(), "{} holds no record", path.display());
    records
}

/// The files of `dir` whose name ends in one of `suffixes`, sorted; at least one.
pub fn files(dir: &Path, suffixes: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| {
            p.file_name().and_then(|n| n.to_str()).is_some_and(|n| suffixes.iter().any(|s| n.ends_with(s)))
        })
        .collect();
    assert!(!found.is_empty(), "{} holds no file that ends in {suffixes:?}", dir.display());
    found.sort();
    found
}
