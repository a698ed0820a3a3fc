//! What records are read from: a file, standard input, or the conversations in the binary.

use crate::data::{ByteCounter, RecordSource, Records};
use crate::error::Result;
use crate::samples;

/// What records are read from.
pub enum Input {
    /// The conversations in the binary.
    Embedded,
    Source(RecordSource),
}

impl Input {
    /// Its records.
    pub fn open(&self, meter: &ByteCounter) -> Result<Records> {
        match self {
            Self::Embedded => Ok(samples::records(samples::CONVERSATIONS)),
            Self::Source(source) => Records::counted(source, meter),
        }
    }

    /// Bytes on the disk, where they are known.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Embedded => None,
            Self::Source(source) => source.size(),
        }
    }

    /// Whether a second reading finds the same records: not so for standard input and pipes.
    pub fn can_be_read_again(&self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Source(source) => source.size().is_some(),
        }
    }

    /// As messages name it.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded => "embedded".to_string(),
            Self::Source(source) => source.name(),
        }
    }
}
