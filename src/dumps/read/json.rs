//! Rows of JSON lines and arrays.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::raw::RawRows;
use crate::data::{ByteCounter, Record, RecordSource, Records};
use crate::dumps::cell::DumpCell;
use crate::dumps::keys::{Field, Keys};
use crate::dumps::row::{RawRow, RowPlace};
use crate::error::{Error, Result};

/// The rows of a source.
pub(super) fn rows(source: &RecordSource, keys: &Keys, counter: &ByteCounter) -> Result<RawRows> {
    let records = Records::counted(source, counter)?;
    let keys = keys.clone();
    Ok(Box::new(records.map(move |record| row(&record?, &keys))))
}

fn row(record: &Record, keys: &Keys) -> Result<RawRow> {
    let (place, line) = (&record.place, usize::try_from(record.place.line).unwrap_or(0));
    let refused = |message: String| Error::Json { path: place.file.clone().into(), line, message };
    if let Some(reason) = record.refusal() {
        return Err(refused(reason));
    }
    let mut json = serde_json::Deserializer::from_slice(&record.bytes);
    let found = RowSeed { keys }.deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    let mut row = found.map_err(|e| Error::json_from(&place.file, line, &e))?;
    row.place = RowPlace { file: place.file.clone(), row: place.index, ..RowPlace::default() };
    Ok(row)
}

/// Reads an object, keeping what is known by its key; ids of what nothing reads are skipped.
struct RowSeed<'k> {
    keys: &'k Keys,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = RawRow;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<RawRow, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = RawRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with input_ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRow, A::Error> {
        let mut row = RawRow::default();
        while let Some(key) = map.next_key::<String>()? {
            let sided = key.strip_prefix("chosen_").or_else(|| key.strip_prefix("rejected_"));
            match self.keys.field(sided.unwrap_or(&key)) {
                Some((Field::Messages, _)) => {
                    let value: Value = map.next_value()?;
                    row.values.insert(key, value);
                }
                Some(_) => row.cells.push((key, map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    row.cells.push((key, DumpCell::Other));
                }
            }
        }
        Ok(row)
    }
}
