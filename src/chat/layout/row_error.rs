//! Why a row of a file cannot be read.

/// Why a row is not what its layout says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RowError {
    /// Path of the key, `conversations[2].from` for one.
    pub key: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl RowError {
    pub(in crate::chat) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}
