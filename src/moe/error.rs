//! What can go wrong with a model: a file, a tensor, a key of `config.json`, a gate, a device.
//!
//! Names of tensors and keys come from untrusted files and are kept raw; whoever prints an error
//! escapes it.

use std::path::{Path, PathBuf};

/// Result with [`MoeError`].
pub type MoeResult<T> = std::result::Result<T, MoeError>;

/// Everything that loading, converting or running a mixture of experts can refuse.
#[derive(Debug, thiserror::Error)]
pub enum MoeError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// A safetensors file or its index is broken as a whole.
    #[error("{}: {message}", path.display())]
    Checkpoint { path: PathBuf, message: String },
    /// One tensor is missing, malformed, of the wrong shape or dtype, or not finite.
    #[error("{}: tensor {name:?}: {message}", path.display())]
    Tensor { path: PathBuf, name: String, message: String },
    /// One key of a config is missing, of the wrong type or out of range.
    #[error("{}: key {key:?}: {message}", path.display())]
    Config { path: PathBuf, key: String, message: String },
    /// The gate cannot work with these numbers (zero experts, k > E, NaN logits, …).
    #[error("gate: {0}")]
    Gate(String),
    /// The request does not fit the model.
    #[error("{0}")]
    Request(String),
    /// The caller's watch ended the run.
    #[error("cancelled")]
    Cancelled,
    /// A device has no memory left.
    #[error("{device}: {message} ({wanted} bytes more were asked for)")]
    DeviceMemory { device: String, wanted: usize, message: String },
    /// The device or the tensor library refused an operation.
    #[error("{while_doing}: {message}")]
    Compute { while_doing: String, message: String },
}

impl MoeError {
    /// An I/O error while `path` was read.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An I/O error while `path` was written.
    pub fn write(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Write { path: path.as_ref().to_path_buf(), source }
    }

    /// A broken checkpoint at `path`.
    pub fn checkpoint(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// A broken or missing tensor.
    pub fn tensor(path: impl AsRef<Path>, name: &str, message: impl Into<String>) -> Self {
        Self::Tensor { path: path.as_ref().to_path_buf(), name: name.to_owned(), message: message.into() }
    }

    /// A missing or wrong key.
    pub fn config(path: impl AsRef<Path>, key: &str, message: impl Into<String>) -> Self {
        Self::Config { path: path.as_ref().to_path_buf(), key: key.to_owned(), message: message.into() }
    }
}

impl From<MoeError> for crate::Error {
    fn from(error: MoeError) -> Self {
        Self::Part(Box::new(error))
    }
}
