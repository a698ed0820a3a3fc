//! The one error type of the library: what failed, where (file, line, sample), and what to do next.
//!
//! Text that came from outside (paths, tokens, server messages) is kept raw here; whoever prints an
//! error sends it through [`crate::text`] first. Errors of the *emulated Python code* are results, not
//! failures of ours: see [`crate::labels::PythonError`].

use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong outside the emulated training code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON it should be.
    #[error("{}{}: {message}", path.display(), on_line(*line))]
    Json { path: PathBuf, line: usize, message: String },
    /// One sample of a data file is not a conversation; line 0 where a file has no lines.
    #[error("{}{}, sample {sample}: {message}", path.display(), on_line(*line))]
    Sample { path: PathBuf, line: usize, sample: String, message: String },
    /// A tokenizer file is broken or of an unknown kind.
    #[error("{}: {message}", path.display())]
    Format { path: PathBuf, message: String },
    /// The tokenizer class must refuse what was asked of it.
    #[error("{class} refuses {what}: {reason}")]
    Refused { class: String, what: String, reason: String },
    /// A name that is not in one of our registries.
    #[error("unknown {kind} {name:?}; known are {}", known.join(", "))]
    UnknownName { kind: &'static str, name: String, known: Vec<String> },
    /// The request cannot be carried out as it was put.
    #[error("{0}")]
    Usage(String),
    /// A part of the program with errors of its own (`moe`, the hub); they convert into this.
    #[error(transparent)]
    Part(Box<dyn std::error::Error + Send + Sync>),
    /// Nobody waits for the result any more.
    #[error("cancelled")]
    Cancelled,
    /// The tokenizer library refused an input.
    #[error("the tokenizer could not encode this text: {0}")]
    Encode(String),
}

/// Parquet files have no lines.
fn on_line(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}

/// An error with its causes, on one line: for a person, where [`std::fmt::Display`] gives the last step only.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    line
}

impl Error {
    /// An I/O error while `path` was read.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An I/O error while `path` was written.
    pub fn write(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Write { path: path.as_ref().to_path_buf(), source }
    }

    /// A broken or unknown tokenizer file at `path`.
    pub fn format(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// A JSON error at `path`, with the line that serde found it on.
    pub fn json(path: impl AsRef<Path>, source: &serde_json::Error) -> Self {
        Self::json_from(path, 1, source)
    }

    /// The same for a piece of a file that begins on line `first_line`.
    pub fn json_from(path: impl AsRef<Path>, first_line: usize, source: &serde_json::Error) -> Self {
        // serde counts lines of the piece from 1 and says them again in its text.
        let line = first_line.saturating_add(source.line().saturating_sub(1));
        let (text, column) = (source.to_string(), source.column());
        let place = format!(" at line {} column {column}", source.line());
        let message = match text.strip_suffix(&place) {
            Some(message) => format!("{message} (column {column})"),
            None => text,
        };
        Self::Json { path: path.as_ref().to_path_buf(), line, message }
    }
}
