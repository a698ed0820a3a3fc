//! Rows of a Parquet file as records: what a row holds, as JSON.
//!
//! Parquet has a column for every key that any row has; what a row lacks reads as null. Null columns of a row and null
//! keys of a message are left out again, as transformers does; nulls further in stay, as a template prints them.
//! Lists of structs, structs and maps become arrays and objects, dates and times
//! their numbers, bytes that are no text a note of their length.

use std::fs::File;
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};
use arrow_array::RecordBatch;
use serde_json::{Map, Number, Value};

use super::byte_counter::ByteCounter;
use super::record::{Record, RecordPosition};
use crate::error::{Error, Result};
use crate::guard;

/// Values of a column that a row may have on average: a row is one conversation, and each value of it takes a kilobyte
/// while it is read.
const MOST_VALUES_A_ROW: i64 = 50_000;
/// A column that is packed this tightly, and is this large unpacked, is no data but a bomb.
const MOST_PACKED: i64 = 1000;
const LARGE: i64 = 64 << 20;
/// Values of each column that are read ahead: an image may take a megabyte.
const READ_AHEAD: usize = 64;

/// The first four bytes of every Parquet file.
pub const MAGIC: [u8; 4] = *b"PAR1";

/// The rows of one file, one after another; a page of each column is in memory at a time.
pub struct ParquetRows {
    path: PathBuf,
    rows: RowIter<'static>,
    index: u64,
    /// Rows of the file, its bytes, and those of them that were reported as read.
    count: u64,
    bytes: u64,
    reported: u64,
    counter: ByteCounter,
}

impl std::fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetRows")
            .field("path", &self.path)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl ParquetRows {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// A file that cannot be opened, or is no whole Parquet file.
    pub fn open(path: &Path, counter: ByteCounter) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let bytes = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let reader = guarded(path, || SerializedFileReader::new(file))?;
        let count = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        refuse_bombs(reader.metadata(), MOST_VALUES_A_ROW).map_err(|message| Error::format(path, message))?;
        let rows = RowIter::from_file_into(Box::new(reader)).with_batch_size(READ_AHEAD);
        Ok(Self { path: path.to_path_buf(), rows, index: 0, count, bytes, reported: 0, counter })
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        let rows = &mut self.rows;
        let path = &self.path;
        let _watched = guard::watch(|| path.display().to_string(), guard::time_for(0));
        let Some(row) = guarded(&self.path, || rows.next().transpose())? else { return Ok(None) };
        let value = guarded(&self.path, || Ok(object(row)))?;
        let file = self.path.display().to_string();
        let place = RecordPosition { file, line: 0, byte: 0, index: self.index };
        self.index += 1;
        // Pages are fetched where they lie, so what was read is told by the rows.
        let read = u128::from(self.bytes) * u128::from(self.index) / u128::from(self.count.max(1));
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.counter.add(read.saturating_sub(self.reported));
        self.reported = read;
        Ok(Some(Record::new(place, value.to_string().into_bytes())))
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

/// Runs a step of the Parquet reader, which panics on columns that it has no way to read.
fn guarded<T>(path: &Path, step: impl FnOnce() -> ::parquet::errors::Result<T>) -> Result<T> {
    match guard::contain(step) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::format(
            path,
            format!("this Parquet file is broken or of a kind that is not read: {error}"),
        )),
        Err(_) => Err(Error::format(
            path,
            "a column of this Parquet file is of a kind that is not read; write the file as JSON lines",
        )),
    }
}

/// Refuses what unpacks to far more than the file has, as its footer tells. A footer that lies is left to the watch on
/// memory.
fn refuse_bombs(metadata: &ParquetMetaData, most_a_row: i64) -> std::result::Result<(), String> {
    for group in metadata.row_groups() {
        for column in group.columns() {
            let name = column.column_path().string();
            let values = column.num_values();
            if values / group.num_rows().max(1) > most_a_row {
                return Err(format!("its column {name:?} has {values} values in {} rows", group.num_rows()));
            }
            let (packed, unpacked) = (column.compressed_size().max(1), column.uncompressed_size());
            if unpacked > LARGE && unpacked / packed > MOST_PACKED {
                return Err(format!("its column {name:?} unpacks from {packed} bytes to {unpacked}"));
            }
        }
    }
    Ok(())
}

/// Rows of a column batch: enough to be quick, few enough that a batch of the longest rows fits in memory.
const BATCH_ROWS: usize = 256;

/// The record batches of a file of arrays, in which a row may have so many values; one is in memory at a time.
///
/// # Errors
/// A file that cannot be opened, or is no whole Parquet file.
pub fn parquet_batches(
    path: &Path,
    most_values_a_row: usize,
    counter: &ByteCounter,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let bytes = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let builder = guarded(path, || ParquetRecordBatchReaderBuilder::try_new(file))?;
    let most = i64::try_from(most_values_a_row).unwrap_or(i64::MAX);
    refuse_bombs(builder.metadata(), most).map_err(|message| Error::format(path, message))?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0).max(1);
    let mut batches = guarded(path, || builder.with_batch_size(BATCH_ROWS).build())?;
    let (path, counter, mut failed) = (path.to_path_buf(), counter.clone(), false);
    Ok(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let next = guarded(&path, || batches.next().transpose().map_err(Into::into)).transpose()?;
        failed = next.is_err();
        if let Ok(batch) = &next {
            let share = u128::from(bytes) * batch.num_rows() as u128 / u128::from(rows);
            counter.add(u64::try_from(share).unwrap_or(u64::MAX));
        }
        Some(next)
    }))
}

fn object(row: Row) -> Value {
    let column = |field: &Field| match field {
        Field::ListInternal(list) => Some(list.elements().iter().map(message).collect()),
        field => value(field),
    };
    let fields = row.into_columns().into_iter().filter_map(|(key, field)| Some((key, column(&field)?)));
    Value::Object(fields.collect())
}

/// An element of a column that is a list: a message has the keys that are not null.
fn message(field: &Field) -> Value {
    match field {
        Field::Group(row) => {
            let fields = row.get_column_iter().filter_map(|(key, field)| Some((key.clone(), value(field)?)));
            Value::Object(fields.collect())
        }
        field => inner(field),
    }
}

/// `None` for what the row does not have.
fn value(field: &Field) -> Option<Value> {
    let whole = |n: i64| Some(Value::Number(n.into()));
    let real = |n: f64| Some(Number::from_f64(n).map_or(Value::Null, Value::Number));
    match field {
        Field::Null => None,
        Field::Bool(b) => Some(Value::Bool(*b)),
        Field::Byte(n) => whole((*n).into()),
        Field::Short(n) => whole((*n).into()),
        Field::Int(n) | Field::Date(n) | Field::TimeMillis(n) => whole((*n).into()),
        Field::Long(n) | Field::TimeMicros(n) | Field::TimestampMillis(n) | Field::TimestampMicros(n) => {
            whole(*n)
        }
        Field::UByte(n) => whole((*n).into()),
        Field::UShort(n) => whole((*n).into()),
        Field::UInt(n) => whole((*n).into()),
        Field::ULong(n) => Some(Value::Number((*n).into())),
        Field::Float16(n) => real(f64::from(*n)),
        Field::Float(n) => real(f64::from(*n)),
        Field::Double(n) => real(*n),
        Field::Decimal(_) => Some(Value::String(field.to_string())),
        Field::Str(text) => Some(Value::String(text.clone())),
        Field::Bytes(bytes) => Some(Value::String(match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.to_string(),
            Err(_) => format!("<{} bytes>", bytes.data().len()),
        })),
        Field::Group(row) => {
            let fields = row.get_column_iter().map(|(key, field)| (key.clone(), inner(field)));
            Some(Value::Object(fields.collect()))
        }
        Field::ListInternal(list) => Some(list.elements().iter().map(inner).collect()),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, field)| {
                let key = match key {
                    Field::Str(text) => text.clone(),
                    key => key.to_string(),
                };
                (key, inner(field))
            });
            Some(Value::Object(entries.collect::<Map<String, Value>>()))
        }
    }
}

/// A value further in, where null is a value too.
fn inner(field: &Field) -> Value {
    value(field).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of bytes, or the error that ends them.
    fn rows(bytes: &[u8]) -> (usize, Option<String>) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.parquet");
        std::fs::write(&path, bytes).expect("written");
        let mut read = 0;
        let result = ParquetRows::open(&path, ByteCounter::default()).and_then(|rows| {
            for row in rows {
                row?;
                read += 1;
            }
            Ok(())
        });
        (read, result.err().map(|e| e.to_string()))
    }

    #[test]
    fn damage_ends_in_an_error_or_in_rows_never_in_a_panic() {
        for codec in ["snappy", "zstd"] {
            let whole = std::fs::read(format!("tests/parquet/rows.{codec}.parquet")).expect("the fixture");
            assert_eq!(rows(&whole), (24, None));
            let mut errors = 0;
            for at in (4..whole.len()).step_by(61) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x55;
                errors += usize::from(rows(&bytes).1.is_some());
                let (_, error) = rows(&whole[..at]);
                assert!(error.is_some_and(|e| e.contains("Parquet")), "cut at {at}");
            }
            assert!(errors > 10, "{codec}: {errors} damages were noticed");
        }
    }
}
