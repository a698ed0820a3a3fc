//! Rows of arrays: `[rows, tokens]` under several names, read in step, a row of each at a time.
//!
//! ```text
//! input_ids      i64 [B, T]     ─► row b: T ids
//! labels         i64 [B, T]     ─►        T labels
//! routed_experts i16 [B, T, …]  ─►        T × … numbers
//! cu_seqlens     i32 [D + 1]    ─►        all of it, where B is 1
//! ```
//!
//! Names may have a prefix for the batch: `batch_0.input_ids`, `0/labels`.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::raw::RawRows;
use crate::data::ByteCounter;
use crate::dumps::cell::{DumpCell, Numbers};
use crate::dumps::row::{MOST_TOKENS, RawRow, RowPlace};
use crate::error::{Error, Result};
use crate::moe::checkpoint::{Checkpoint, f16_to_f32};

/// What an element is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    BFloat16,
}

impl Element {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Unsigned(bytes) | Self::Signed(bytes) | Self::Float(bytes) => bytes,
            Self::BFloat16 => 2,
        }
    }
}

/// One array of a file.
pub(super) struct ArrayStream {
    pub name: String,
    pub element: Element,
    pub big_endian: bool,
    pub shape: Vec<usize>,
    pub reader: Box<dyn Read + Send>,
}

impl ArrayStream {
    /// The next elements, as a cell of the shape.
    fn next(&mut self, shape: &[usize]) -> Result<DumpCell, String> {
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        // A row of routes has some hundred numbers a token.
        let count = count.filter(|count| *count <= 32 * MOST_TOKENS).ok_or("a row of it is too large")?;
        let bytes = count.checked_mul(self.element.bytes()).ok_or("a row of it is too large")?;
        let mut buffer = Vec::new();
        let limit = u64::try_from(bytes).unwrap_or(u64::MAX);
        let got = Read::take(&mut self.reader, limit).read_to_end(&mut buffer).map_err(|e| e.to_string())?;
        if got != bytes {
            return Err("the file ends within it".to_string());
        }
        let numbers = self.numbers(&buffer);
        Ok(match shape {
            [] | [_] => DumpCell::Flat(numbers),
            [_, inner @ ..] => nested(numbers, inner),
        })
    }

    fn numbers(&self, bytes: &[u8]) -> Numbers {
        let size = self.element.bytes().max(1);
        let word = |chunk: &[u8]| {
            let byte = |(at, byte): (usize, &u8)| {
                let place = if self.big_endian { chunk.len() - 1 - at } else { at };
                u64::from(*byte) << (8 * place)
            };
            chunk.iter().enumerate().map(byte).fold(0, |all, part| all | part)
        };
        let words = bytes.chunks_exact(size).map(word);
        match self.element {
            Element::Bool => Numbers::Ints(words.map(|word| i64::from(word != 0)).collect()),
            Element::Unsigned(_) => {
                Numbers::Ints(words.map(|word| i64::try_from(word).unwrap_or(i64::MAX)).collect())
            }
            Element::Signed(bytes) => {
                let shift = 64 - 8 * bytes;
                Numbers::Ints(words.map(|word| (word << shift).cast_signed() >> shift).collect())
            }
            Element::Float(8) => Numbers::Floats(words.map(|word| f64::from_bits(word) as f32).collect()),
            Element::Float(4) => Numbers::Floats(words.map(|word| f32::from_bits(word as u32)).collect()),
            Element::Float(_) => Numbers::Floats(words.map(|word| f16_to_f32(word as u16)).collect()),
            Element::BFloat16 => {
                Numbers::Floats(words.map(|word| f32::from_bits((word as u32) << 16)).collect())
            }
        }
    }
}

/// Numbers in lists of the inner shape.
fn nested(numbers: Numbers, inner: &[usize]) -> DumpCell {
    let size = inner.iter().product::<usize>().max(1);
    let cell = |numbers: Numbers| match inner {
        [] | [_] => DumpCell::Flat(numbers),
        [_, rest @ ..] => nested(numbers, rest),
    };
    DumpCell::Nested(match numbers {
        Numbers::Ints(values) => values.chunks(size).map(|part| cell(Numbers::Ints(part.to_vec()))).collect(),
        Numbers::Floats(values) => {
            values.chunks(size).map(|part| cell(Numbers::Floats(part.to_vec()))).collect()
        }
    })
}

/// The rows of arrays that belong together.
pub(super) fn rows(path: &Path, arrays: Vec<ArrayStream>, counter: &ByteCounter) -> Result<RawRows> {
    let mut groups: Vec<(String, Vec<ArrayStream>)> = Vec::new();
    for mut array in arrays {
        let at = array.name.rfind(['.', '/', ':']).map_or(0, |at| at + 1);
        let key = array.name.split_off(at);
        let prefix = std::mem::replace(&mut array.name, key);
        match groups.iter_mut().find(|(known, _)| *known == prefix) {
            Some((_, group)) => group.push(array),
            None => groups.push((prefix, vec![array])),
        }
    }
    // By number where prefixes are numbered: batch 10 comes behind batch 9.
    groups.sort_by_key(|(prefix, _)| {
        let digits: String = prefix.chars().filter(char::is_ascii_digit).collect();
        (digits.parse::<u64>().unwrap_or(0), prefix.clone())
    });
    if groups.is_empty() {
        return Err(Error::format(path, "there is no array in this file"));
    }
    let groups = groups.into_iter().map(|(_, arrays)| arrays);
    let path = path.to_path_buf();
    let counter = counter.clone();
    let mut row = 0;
    Ok(Box::new(groups.flat_map(move |arrays| {
        let group = Group::new(path.clone(), arrays, row, counter.clone());
        row += group.rows as u64;
        group
    })))
}

/// Arrays of one batch.
struct Group {
    path: PathBuf,
    arrays: Vec<ArrayStream>,
    rows: usize,
    at: usize,
    first: u64,
    counter: ByteCounter,
    failed: bool,
}

impl Group {
    fn new(path: PathBuf, arrays: Vec<ArrayStream>, first: u64, counter: ByteCounter) -> Self {
        // Rows are the first dimension that most arrays of two or more have.
        let batched =
            arrays.iter().filter(|array| array.shape.len() > 1).filter_map(|array| array.shape.first());
        let flat =
            arrays.iter().filter(|array| array.shape.len() == 1).filter_map(|array| array.shape.first());
        // Routes beside ids without a batch: [tokens, layers, k] beside [tokens].
        let tokens: Vec<usize> = flat.copied().collect();
        let counts: Vec<usize> = batched.copied().filter(|count| !tokens.contains(count)).collect();
        let votes = |count: &usize| counts.iter().filter(|other| *other == count).count();
        let rows = counts.iter().copied().max_by_key(votes).unwrap_or(1);
        Self { path, arrays, rows, at: 0, first, counter, failed: false }
    }

    fn row(&mut self) -> Result<RawRow> {
        let mut row = RawRow {
            place: RowPlace {
                file: self.path.display().to_string(),
                row: self.first + self.at as u64,
                ..RowPlace::default()
            },
            ..RawRow::default()
        };
        for array in &mut self.arrays {
            let batched = array.shape.len() > 1 && array.shape.first() == Some(&self.rows);
            let shape = match (batched, array.shape.get(1..)) {
                (true, Some(inner)) => inner.to_vec(),
                // What the whole batch has belongs to its first row.
                _ if self.at == 0 => array.shape.clone(),
                _ => continue,
            };
            let cell = array
                .next(&shape)
                .map_err(|error| Error::format(&self.path, format!("array {:?}: {error}", array.name)))?;
            row.cells.push((array.name.clone(), cell));
        }
        Ok(row)
    }
}

impl Iterator for Group {
    type Item = Result<RawRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.rows {
            return None;
        }
        let row = self.row();
        self.failed = row.is_err();
        self.at += 1;
        let read = row.as_ref().map_or(0, |row| row.cells.iter().map(|(_, cell)| bytes(cell)).sum());
        self.counter.add(read);
        Some(row)
    }
}

fn bytes(cell: &DumpCell) -> u64 {
    8 * cell.shape().iter().product::<usize>() as u64
}

/// The rows of a safetensors file.
pub(super) fn safetensors_rows(path: &Path, counter: &ByteCounter) -> Result<RawRows> {
    let checkpoint = Checkpoint::open(path)?;
    let names: Vec<String> = checkpoint.names().map(String::from).collect();
    let array = |name: String| {
        let info = checkpoint.info(&name)?;
        let element = element_of(&format!("{:?}", info.dtype)).ok_or_else(|| {
            Error::format(path, format!("tensor {name:?} has dtype {}, which is not read", info.dtype))
        })?;
        let shape = if info.shape.is_empty() { vec![1] } else { info.shape.clone() };
        let reader = Box::new(TensorReader { checkpoint: checkpoint.clone(), name: name.clone(), at: 0 });
        Ok(ArrayStream { name, element, big_endian: false, shape, reader })
    };
    rows(path, names.into_iter().map(array).collect::<Result<_>>()?, counter)
}

/// By the name that the safetensors crate gives a dtype.
fn element_of(dtype: &str) -> Option<Element> {
    Some(match dtype {
        "BOOL" => Element::Bool,
        "BF16" => Element::BFloat16,
        _ => {
            let (kind, bits) = dtype.split_at_checked(1)?;
            let bytes = bits.parse::<usize>().ok().filter(|bits| [8, 16, 32, 64].contains(bits))? / 8;
            match kind {
                "U" => Element::Unsigned(bytes),
                "I" => Element::Signed(bytes),
                "F" if bytes > 1 => Element::Float(bytes),
                _ => return None,
            }
        }
    })
}

/// Reads a tensor through the map of its file.
struct TensorReader {
    checkpoint: Checkpoint,
    name: String,
    at: usize,
}

impl Read for TensorReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.checkpoint.bytes(&self.name).map_err(std::io::Error::other)?;
        let got = bytes.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += got;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(element: Element, big_endian: bool, shape: &[usize], bytes: &[u8]) -> ArrayStream {
        let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
        ArrayStream { name: "x".into(), element, big_endian, shape: shape.to_vec(), reader }
    }

    #[test]
    fn elements_of_every_kind() {
        let read = |element, big, bytes: &[u8]| {
            stream(element, big, &[1], bytes).next(&[1]).expect("a value").flattened().expect("numbers")
        };
        assert_eq!(read(Element::Signed(4), false, &(-100_i32).to_le_bytes()), Numbers::Ints(vec![-100]));
        assert_eq!(read(Element::Signed(8), true, &(-7_i64).to_be_bytes()), Numbers::Ints(vec![-7]));
        assert_eq!(read(Element::Signed(1), false, &[0xFF]), Numbers::Ints(vec![-1]));
        assert_eq!(read(Element::Unsigned(2), false, &[1, 1]), Numbers::Ints(vec![257]));
        assert_eq!(read(Element::Float(4), false, &0.25_f32.to_le_bytes()), Numbers::Floats(vec![0.25]));
        assert_eq!(read(Element::Float(8), false, &0.5_f64.to_le_bytes()), Numbers::Floats(vec![0.5]));
        assert_eq!(read(Element::Float(2), false, &[0x00, 0x3c]), Numbers::Floats(vec![1.0]));
        assert_eq!(read(Element::BFloat16, false, &[0x80, 0x3f]), Numbers::Floats(vec![1.0]));
        assert_eq!(read(Element::Bool, false, &[1]), Numbers::Ints(vec![1]));
    }

    #[test]
    fn dtypes_by_name() {
        assert_eq!(element_of("I64"), Some(Element::Signed(8)));
        assert_eq!(element_of("F16"), Some(Element::Float(2)));
        assert_eq!((element_of("F8_E4M3"), element_of("F4"), element_of("C64")), (None, None, None));
    }

    #[test]
    fn a_short_array_is_an_error() {
        assert!(stream(Element::Signed(4), false, &[2], &[0; 7]).next(&[2]).is_err());
    }
}
