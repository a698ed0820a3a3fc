//! Rows of record batches: what Parquet and Arrow files come as.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use serde_json::{Map, Value};

use super::raw::{RawRows, contained};
use crate::data::{ByteCounter, parquet_batches};
use crate::dumps::cell::{DumpCell, Numbers};
use crate::dumps::keys::{Field, Keys};
use crate::dumps::row::{MOST_TOKENS, RawRow, RowPlace};
use crate::error::Result;

/// The rows of a Parquet file.
pub(super) fn parquet_rows(path: &Path, keys: &Keys, counter: &ByteCounter) -> Result<RawRows> {
    let batches = parquet_batches(path, MOST_TOKENS, counter)?;
    Ok(batch_rows(path, "Parquet", Box::new(batches), keys))
}

/// The rows of record batches; a batch is in memory at a time.
pub(super) fn batch_rows(
    path: &Path,
    kind: &'static str,
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
    keys: &Keys,
) -> RawRows {
    Box::new(BatchRows {
        path: path.to_path_buf(),
        name: path.display().to_string(),
        kind,
        batches,
        keys: keys.clone(),
        batch: None,
        at: 0,
        row: 0,
    })
}

struct BatchRows {
    path: PathBuf,
    name: String,
    kind: &'static str,
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
    keys: Keys,
    batch: Option<RecordBatch>,
    /// Next row of the batch, and of the file.
    at: usize,
    row: u64,
}

impl BatchRows {
    fn advance(&mut self) -> Result<Option<RawRow>> {
        loop {
            match &self.batch {
                Some(batch) if self.at < batch.num_rows() => {
                    let place = RowPlace { file: self.name.clone(), row: self.row, ..RowPlace::default() };
                    let (at, keys) = (self.at, &self.keys);
                    (self.at, self.row) = (self.at + 1, self.row + 1);
                    let row = contained(&self.path, self.kind, || {
                        Ok::<_, String>(raw_row(batch, at, keys, place))
                    })?;
                    return Ok(Some(row));
                }
                _ => match self.batches.next() {
                    None => return Ok(None),
                    Some(batch) => (self.batch, self.at) = (Some(batch?), 0),
                },
            }
        }
    }
}

impl Iterator for BatchRows {
    type Item = Result<RawRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

fn raw_row(batch: &RecordBatch, at: usize, keys: &Keys, place: RowPlace) -> RawRow {
    let mut row = RawRow { place, ..RawRow::default() };
    let schema = batch.schema_ref();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name();
        let sided = name.strip_prefix("chosen_").or_else(|| name.strip_prefix("rejected_"));
        match keys.field(sided.unwrap_or(name)) {
            Some((Field::Messages, _)) => {
                row.values.insert(name.clone(), value_at(column, at));
            }
            Some(_) => row.cells.push((name.clone(), cell_at(column, at))),
            None => row.cells.push((name.clone(), DumpCell::Other)),
        }
    }
    row
}

/// An element of a column.
fn cell_at(column: &ArrayRef, at: usize) -> DumpCell {
    if column.is_null(at) {
        return DumpCell::Other;
    }
    if let Some(list) = inner_list(column, at) {
        return whole(&list);
    }
    if let Some(text) = text_at(column, at) {
        return DumpCell::Text(text);
    }
    match numbers(&column.slice(at, 1)) {
        Some(Numbers::Ints(values)) => {
            values.first().map_or(DumpCell::Other, |value| DumpCell::Number(*value as f64))
        }
        Some(Numbers::Floats(values)) => {
            values.first().map_or(DumpCell::Other, |value| DumpCell::Number(f64::from(*value)))
        }
        None => DumpCell::Other,
    }
}

/// A whole array as one cell.
fn whole(array: &ArrayRef) -> DumpCell {
    match numbers(array) {
        Some(numbers) => DumpCell::Flat(numbers),
        None => DumpCell::Nested((0..array.len()).map(|at| cell_at(array, at)).collect()),
    }
}

fn inner_list(column: &ArrayRef, at: usize) -> Option<ArrayRef> {
    let list = column.as_list_opt::<i32>().map(|list| list.value(at));
    let list = list.or_else(|| column.as_list_opt::<i64>().map(|list| list.value(at)));
    list.or_else(|| column.as_fixed_size_list_opt().map(|list| list.value(at)))
}

fn text_at(column: &ArrayRef, at: usize) -> Option<String> {
    let text = column.as_string_opt::<i32>().map(|texts| texts.value(at));
    let text = text.or_else(|| column.as_string_opt::<i64>().map(|texts| texts.value(at)));
    text.or_else(|| column.as_string_view_opt().map(|texts| texts.value(at))).map(String::from)
}

/// The values of an array of numbers; floats with NaN where there is none.
fn numbers(array: &ArrayRef) -> Option<Numbers> {
    fn ints<T: ArrowPrimitiveType>(array: &ArrayRef, convert: fn(T::Native) -> i64) -> Option<Numbers> {
        let values = array.as_primitive_opt::<T>()?;
        Some(match values.null_count() {
            0 => Numbers::Ints(values.values().iter().map(|value| convert(*value)).collect()),
            _ => {
                let value = |value: Option<T::Native>| value.map_or(f32::NAN, |value| convert(value) as f32);
                Numbers::Floats(values.iter().map(value).collect())
            }
        })
    }
    fn floats<T: ArrowPrimitiveType>(array: &ArrayRef, convert: fn(T::Native) -> f32) -> Option<Numbers> {
        let values = array.as_primitive_opt::<T>()?;
        Some(Numbers::Floats(values.iter().map(|value| value.map_or(f32::NAN, convert)).collect()))
    }
    if let Some(flags) = array.as_boolean_opt() {
        return Some(Numbers::Ints(flags.iter().map(|flag| i64::from(flag.unwrap_or(false))).collect()));
    }
    ints::<Int64Type>(array, |n| n)
        .or_else(|| ints::<Int32Type>(array, i64::from))
        .or_else(|| ints::<Int8Type>(array, i64::from))
        .or_else(|| ints::<UInt32Type>(array, i64::from))
        .or_else(|| ints::<UInt8Type>(array, i64::from))
        .or_else(|| ints::<Int16Type>(array, i64::from))
        .or_else(|| ints::<UInt16Type>(array, i64::from))
        .or_else(|| ints::<UInt64Type>(array, |n| i64::try_from(n).unwrap_or(i64::MAX)))
        .or_else(|| floats::<Float32Type>(array, |n| n))
        .or_else(|| floats::<Float64Type>(array, |n| n as f32))
        .or_else(|| floats::<Float16Type>(array, f32::from))
}

/// An element as JSON: messages.
fn value_at(column: &ArrayRef, at: usize) -> Value {
    if at >= column.len() || column.is_null(at) {
        return Value::Null;
    }
    if let Some(text) = text_at(column, at) {
        return Value::String(text);
    }
    if let Some(fields) = column.as_struct_opt() {
        let pairs = fields.column_names().into_iter().zip(fields.columns());
        let pairs = pairs.map(|(name, column)| (name.to_string(), value_at(column, at)));
        // A column of messages has every key that any message has.
        return Value::Object(pairs.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>());
    }
    if let Some(list) = inner_list(column, at) {
        return (0..list.len()).map(|at| value_at(&list, at)).collect();
    }
    match numbers(&column.slice(at, 1)) {
        Some(Numbers::Ints(values)) => values.first().copied().map_or(Value::Null, Value::from),
        Some(Numbers::Floats(values)) => values.first().copied().map_or(Value::Null, Value::from),
        None => Value::Null,
    }
}
