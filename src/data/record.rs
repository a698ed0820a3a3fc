//! One record of a data set as text, and where it begins.

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
}
