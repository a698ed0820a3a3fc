//! What is read here and refused elsewhere: byte order marks, one record a line under the name `.json`, trailing commas,
//! columns of more than one type.
//!
//! What other readers do was tried with Python 3.11's `json` and with datasets 2.19.2 and 5.2.0.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::data::{Quirks, Record, RecordError};

/// Levels of a record whose types are compared.
const DEPTH: usize = 8;
/// Columns that are kept: rows whose keys are ids have no columns.
const MOST_COLUMNS: usize = 4096;
/// Columns that are named.
const NAMED: usize = 4;

/// The types of a value as pyarrow names them, one bit each; a null is of every type.
const TYPES: [&str; 5] = ["boolean", "number", "string", "array", "object"];

fn type_bit(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 4,
        Value::Array(_) => 8,
        Value::Object(_) => 16,
    }
}

/// The types of every column of some rows, by paths such as `/messages/[]/content`.
#[derive(Debug, Default)]
pub struct ColumnTypes {
    found: BTreeMap<String, u8>,
}

impl ColumnTypes {
    /// The columns of one row.
    pub fn of_row(row: &Value) -> Self {
        let mut types = Self::default();
        types.take("", row, 0);
        types
    }

    fn take(&mut self, path: &str, value: &Value, depth: usize) {
        if depth > 0 {
            self.add(path, type_bit(value));
        }
        if depth >= DEPTH {
            return;
        }
        match value {
            Value::Array(items) => {
                let path = format!("{path}/[]");
                items.iter().for_each(|item| self.take(&path, item, depth + 1));
            }
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| self.take(&format!("{path}/{key}"), value, depth + 1));
            }
            _ => {}
        }
    }

    fn add(&mut self, path: &str, types: u8) {
        if let Some(found) = self.found.get_mut(path) {
            *found |= types;
        } else if self.found.len() < MOST_COLUMNS {
            self.found.insert(path.to_string(), types);
        }
    }

    /// With the columns of other rows.
    pub fn join(&mut self, other: Self) {
        other.found.iter().for_each(|(path, types)| self.add(path, *types));
    }

    /// A sentence on the columns that have several types.
    fn note(&self) -> Option<String> {
        let mixed = self.found.iter().filter(|(_, types)| types.count_ones() > 1);
        let names: Vec<String> = mixed
            .map(|(path, types)| {
                let of =
                    (0..TYPES.len()).filter(|bit| types & (1 << bit) != 0).filter_map(|bit| TYPES.get(bit));
                format!("{path} is {}", of.copied().collect::<Vec<_>>().join(" and "))
            })
            .collect();
        let first = names.get(..NAMED.min(names.len()))?.join("; ");
        (!names.is_empty()).then(|| {
            format!(
                "has columns of more than one type ({first}{}): datasets 2.19 refuses the file (ArrowInvalid: JSON parse error: \
                 Column(…) changed from …), 5.2 reads it",
                if names.len() > NAMED { "; …" } else { "" }
            )
        })
    }
}

/// What was seen of one file while it was read.
#[derive(Debug, Default)]
pub struct FileShape {
    pub quirks: Quirks,
    pub records: usize,
    /// Records with a comma before a closing bracket.
    pub with_trailing_commas: usize,
    /// Records on more than one line.
    pub over_lines: usize,
    pub types: ColumnTypes,
}

impl FileShape {
    /// Takes in a record as it was read.
    pub fn count(&mut self, record: &Record) {
        self.records += 1;
        self.over_lines += usize::from(memchr::memchr(b'\n', &record.bytes).is_some());
    }

    /// What other readers refuse of a file by that name.
    pub fn notes(&self, name: &str) -> Vec<String> {
        let stem =
            [".gz", ".zst", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let is = |ending: &str| Path::new(stem).extension().is_some_and(|found| found == ending);
        let mut notes = Vec::new();
        if self.quirks.bom {
            notes.push(
                "begins with a byte order mark: Python's json refuses it (JSONDecodeError: Unexpected UTF-8 BOM), and \
                 datasets 2.19 an array behind one; encoding utf-8-sig reads it"
                    .to_string(),
            );
        }
        if self.quirks.trailing_comma || self.with_trailing_commas > 0 {
            notes.push(
                "has commas before closing brackets: Python's json (JSONDecodeError) and datasets (ArrowInvalid, ValueError) \
                 refuse it"
                    .to_string(),
            );
        }
        if is("json") && !self.quirks.array && self.records > 1 {
            notes.push(
                "holds one record behind the other under the name .json: json.load refuses it (JSONDecodeError: Extra data), \
                 datasets reads it"
                    .to_string(),
            );
        }
        if is("jsonl") && self.quirks.array {
            notes.push(
                "holds an array under the name .jsonl: who reads line by line gets lists, or pieces of them"
                    .to_string(),
            );
        } else if is("jsonl") && self.over_lines > 0 {
            notes.push(
                "holds records over several lines: who reads line by line refuses it (JSONDecodeError), datasets reads it"
                    .to_string(),
            );
        }
        notes.extend(self.types.note());
        notes.into_iter().map(|note| format!("{name} {note}")).collect()
    }
}

/// The JSON of a record, and whether commas before closing brackets were left out of it.
///
/// # Errors
/// As [`Record::value`]: what is refused is not read in another way.
pub fn lenient_value(record: &Record) -> Result<(Value, bool), RecordError> {
    match record.value() {
        Ok(value) => Ok((value, false)),
        Err(error @ RecordError::Json(_)) => {
            without_trailing_commas(record).map(|value| (value, true)).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// A record that is JSON but for commas before closing brackets.
fn without_trailing_commas(record: &Record) -> Option<Value> {
    let mut kept: Vec<u8> = Vec::with_capacity(record.bytes.len());
    let (mut in_string, mut escaped, mut comma) = (false, false, None);
    for byte in &record.bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'}' | b']') => {
                if let Some(at) = comma {
                    kept.remove(at);
                }
            }
            _ => {}
        }
        match byte {
            b',' if !in_string => comma = Some(kept.len()),
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {}
            _ => comma = None,
        }
        kept.push(*byte);
    }
    serde_json::from_slice(&kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::RecordPosition;
    use serde_json::json;

    #[test]
    fn trailing_commas_go_and_others_stay() {
        let record = |text: &str| {
            let place = RecordPosition { file: "x".into(), line: 1, byte: 0, index: 0 };
            without_trailing_commas(&Record::new(place, text.as_bytes().to_vec()))
        };
        assert_eq!(
            record(r#"{"a": [1, 2,], "b": {"c": ",}",} ,}"#),
            Some(json!({"a": [1, 2], "b": {"c": ",}"}}))
        );
        assert_eq!(record(r#"{"a": "x\",]", }"#), Some(json!({"a": "x\",]"})));
        assert_eq!(record(r#"{"a": [1,,]}"#), None);
        assert_eq!(record(r#"{"a" 1,}"#), None);
    }

    #[test]
    fn a_record_that_is_refused_is_not_read_in_another_way() {
        let place = RecordPosition { file: "x".into(), line: 1, byte: 0, index: 0 };
        let values = Record::new(place, format!("[{}0]", "0,".repeat(2_600_000)).into_bytes());
        assert!(matches!(lenient_value(&values), Err(RecordError::Refused(_))));
    }

    #[test]
    fn columns_of_two_types_are_found_at_any_depth() {
        let note = |rows: &[Value]| {
            let mut types = ColumnTypes::default();
            rows.iter().for_each(|row| types.join(ColumnTypes::of_row(row)));
            types.note()
        };
        let row = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
        assert_eq!(note(&[row(json!("a")), row(json!(null)), row(json!("b"))]), None);
        let mixed = note(&[row(json!("a")), row(json!([]))]).expect("mixed");
        assert!(mixed.contains("/messages/[]/content is string and array"), "{mixed}");
        assert!(note(&[json!({"w": 1}), json!({"w": 0.5})]).is_none());
        assert!(
            note(&[json!({"id": 1}), json!({"id": "x"})])
                .is_some_and(|note| note.contains("/id is number and string"))
        );
    }
}
