//! Conformance with results of the real Python code.
//!
//! `MASKSCOPE_CONFORMANCE=DIR cargo test --test conformance -- --nocapture` checks every file of DIR that
//! has the layout of the golden folder (`golden/labels`, `golden/strings`, …, beside `tokenizers/`).
//! Without the variable the tests say that they are skipped.

mod added_tokens;
mod chat;
mod collator;
mod doctor;
mod doctor_table;
mod labels;
mod moe;
mod quick;
mod scan;
mod special;
mod strings;
mod trainers;

use std::io::Read;
use std::path::{Path, PathBuf};

/// The unpacked golden folder, or `None` (said once on stderr) when the variable is not set.
pub fn root(what: &str) -> Option<PathBuf> {
    match std::env::var_os("MASKSCOPE_CONFORMANCE") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => {
            eprintln!("SKIPPED {what}: set MASKSCOPE_CONFORMANCE to an unpacked golden folder");
            None
        }
    }
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

/// The files of `dir` whose name ends in one of `suffixes`, sorted.
pub fn files(dir: &Path, suffixes: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| {
            p.file_name().and_then(|n| n.to_str()).is_some_and(|n| suffixes.iter().any(|s| n.ends_with(s)))
        })
        .collect();
    found.sort();
    found
}
