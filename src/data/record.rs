//! One record of a data set as text, and where it begins.

use serde_json::Value;

use crate::guard;

/// JSON values of one record: each takes 72 bytes, and more than the ids and labels of a million tokens is no sample.
const MOST_VALUES: usize = 2_500_000;
/// Records shorter than this have fewer values anyway.
const SHORT: usize = 2_500_000;

/// Where a record begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    /// Name of the source.
    pub file: String,
    /// Line, from 1, and byte, from 0, of the decompressed text; both 0 in Parquet, which has rows only.
    pub line: u64,
    pub byte: u64,
    /// Position among the records of the source, from 0.
    pub index: u64,
}

/// One record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub place: RecordPosition,
    /// The JSON of one record; invalid bytes are an error when it is parsed.
    pub bytes: Vec<u8>,
    /// Why the record was not kept whole; the bytes are its beginning then.
    pub refused: Option<String>,
}

impl Record {
    /// A record that was read whole.
    pub fn new(place: RecordPosition, bytes: Vec<u8>) -> Self {
        Self { place, bytes, refused: None }
    }

    /// Why the record is not parsed: it was not kept whole, or it would take too much memory.
    pub fn refusal(&self) -> Option<String> {
        if self.refused.is_some() {
            return self.refused.clone();
        }
        let values = if self.bytes.len() < SHORT { 0 } else { guard::json_values(&self.bytes) };
        (values > MOST_VALUES)
            .then(|| format!("a record of {values} JSON values ({MOST_VALUES} are the most)"))
    }

    /// The JSON value.
    ///
    /// # Errors
    /// [`Self::refusal`], else what serde_json says, with the line within the record.
    pub fn value(&self) -> Result<Value, RecordError> {
        match self.refusal() {
            Some(reason) => Err(RecordError::Refused(reason)),
            None => serde_json::from_slice(&self.bytes).map_err(RecordError::Json),
        }
    }
}

/// Why a record is no value.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Json(serde_json::Error),
}
