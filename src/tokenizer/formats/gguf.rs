//! The metadata header of a GGUF file: the keys `tokenizer.ggml.*`. Tensors are never read.
//!
//! Layout (version 2 and 3, little endian): magic `GGUF`, `u32` version, `u64` number of tensors, `u64` number of
//! entries; an entry is a key (`u64` length, bytes), a `u32` type and a value. Lengths come from an untrusted
//! file: nothing is reserved by them, and the whole header has a limit. candle reads GGUF too, but trusts the lengths
//! and wants the tensors.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// No header comes near this.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// Items of all arrays together; a vocabulary of today has a million.
const MAX_ITEMS: u64 = 8_000_000;
/// Arrays of arrays are not used by tokenizers.
const MAX_DEPTH: u32 = 2;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
}

/// The entries of a header whose keys begin with `tokenizer.`, without that prefix's `ggml.`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgufMetadata {
    entries: BTreeMap<String, Value>,
}

impl GgufMetadata {
    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.entries.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Texts whose keys begin with `prefix`, by the rest of their keys.
    pub fn texts_below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.entries.iter().filter_map(move |(key, value)| match value {
            Value::Text(text) => Some((key.strip_prefix(prefix)?, text.as_str())),
            _ => None,
        })
    }

    /// A number of tokens or an id.
    pub fn id(&self, key: &str) -> Option<u32> {
        match self.entries.get(key) {
            Some(Value::Integer(n)) => u32::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A switch.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.entries.get(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// A list of texts; `None` when the key is missing or holds something else.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        let Some(Value::Array(items)) = self.entries.get(key) else { return None };
        let text = |v: &Value| match v {
            Value::Text(t) => Some(t.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// A list of numbers.
    pub fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        let Some(Value::Array(items)) = self.entries.get(key) else { return None };
        let number = |v: &Value| match v {
            Value::Float(f) => Some(*f),
            Value::Integer(n) => Some(*n as f64),
            _ => None,
        };
        items.iter().map(number).collect()
    }
}

/// Reads the header.
///
/// # Errors
/// Another kind of file, a version that is not known, a header that ends early or is too long.
pub fn read(reader: impl Read, path: &Path) -> Result<GgufMetadata> {
    let mut header = Header { reader: reader.take(MAX_HEADER_BYTES), path, items: 0 };
    if header.bytes::<4>()? != *b"GGUF" {
        return Err(Error::format(path, "not a GGUF file"));
    }
    let version = u32::from_le_bytes(header.bytes()?);
    if !(2..=3).contains(&version) {
        return Err(Error::format(path, format!("GGUF version {version} is not known (2 and 3 are)")));
    }
    let _tensors = header.u64()?;
    let count = header.u64()?;
    let mut metadata = GgufMetadata::default();
    for _ in 0..count {
        let key = header.text()?;
        let kind = u32::from_le_bytes(header.bytes()?);
        let value = header.value(kind, 0)?;
        if let Some(key) = key.strip_prefix("tokenizer.") {
            metadata.entries.insert(key.strip_prefix("ggml.").unwrap_or(key).to_string(), value);
        }
    }
    Ok(metadata)
}

struct Header<'p, R> {
    reader: std::io::Take<R>,
    path: &'p Path,
    /// Items of arrays so far.
    items: u64,
}

impl<R: Read> Header<'_, R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader
            .read_exact(&mut bytes)
            .map_err(|_| Error::format(self.path, "the GGUF header ends early or is too long"))?;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// A text; what is not UTF-8 is replaced, as other readers do.
    fn text(&mut self) -> Result<String> {
        let len = self.u64()?;
        if len > self.reader.limit() {
            return Err(Error::format(
                self.path,
                format!("a text of {len} bytes does not fit in the header"),
            ));
        }
        let mut bytes = Vec::new();
        let read =
            self.reader.by_ref().take(len).read_to_end(&mut bytes).map_err(|e| Error::io(self.path, e))?;
        if read as u64 != len {
            return Err(Error::format(self.path, "the GGUF header ends early"));
        }
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value> {
        Ok(match kind {
            0 => Value::Integer(i64::from(u8::from_le_bytes(self.bytes()?))),
            1 => Value::Integer(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Integer(i64::from(u16::from_le_bytes(self.bytes()?))),
            3 => Value::Integer(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Integer(i64::from(u32::from_le_bytes(self.bytes()?))),
            5 => Value::Integer(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            7 => Value::Bool(self.bytes::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 if depth < MAX_DEPTH => self.array(depth)?,
            10 => Value::Integer(i64::try_from(self.u64()?).unwrap_or(i64::MAX)),
            11 => Value::Integer(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(Error::format(self.path, format!("GGUF value type {kind} is not known"))),
        })
    }

    fn array(&mut self, depth: u32) -> Result<Value> {
        let kind = u32::from_le_bytes(self.bytes()?);
        let count = self.u64()?;
        if count > self.reader.limit() {
            return Err(Error::format(
                self.path,
                format!("an array of {count} items does not fit in the header"),
            ));
        }
        // An item takes a byte of the file and 32 of memory.
        self.items = self.items.saturating_add(count);
        if self.items > MAX_ITEMS {
            return Err(Error::format(
                self.path,
                format!("the arrays of the header have {} items ({MAX_ITEMS} are the most)", self.items),
            ));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(kind, depth + 1)?);
        }
        Ok(Value::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_lengths_are_refused_without_memory() {
        let path = Path::new("x.gguf");
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend([0; 8]);
        bytes.extend(1u64.to_le_bytes());
        let mut long_key = bytes.clone();
        long_key.extend((1u64 << 30).to_le_bytes());
        assert!(read(&long_key[..], path).is_err());
        let mut long_array = bytes.clone();
        long_array.extend(1u64.to_le_bytes());
        long_array.extend(b"k\x09\0\0\0\x08\0\0\0");
        long_array.extend(u64::MAX.to_le_bytes());
        assert!(read(&long_array[..], path).is_err());
    }
}
