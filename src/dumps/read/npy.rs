//! NumPy's `.npy` arrays, alone or in an `.npz`.
//!
//! The header is read here: it is a line of Python literals behind ten bytes, and the crates that read it bring an array
//! library of their own. Objects in an array are pickled, and nothing pickled is opened.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use super::raw::{PICKLE, contained};
use super::tensors::{ArrayStream, Element};
use crate::data::inflated;
use crate::dumps::keys::Keys;
use crate::error::{Error, Result};

/// Longest header: NumPy itself refuses more.
const MOST_HEADER: usize = 10_000;
/// Most arrays of one file.
const MOST_ARRAYS: usize = 100_000;

/// Arrays in files of their own; a file is named after its key, and a single one holds ids.
pub(super) fn npy_arrays(paths: &[PathBuf], keys: &Keys) -> Result<Vec<ArrayStream>> {
    let array = |path: &PathBuf| {
        let file = BufReader::new(File::open(path).map_err(|e| Error::io(path, e))?);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let known = keys.field(&stem).is_some() || paths.len() > 1;
        let name = if known { stem } else { keys.ids().first().map_or(stem, |key| (*key).to_string()) };
        opened(path, name, Box::new(file))
    };
    paths.iter().map(array).collect()
}

/// The arrays of an archive.
pub(super) fn npz_arrays(path: &Path) -> Result<Vec<ArrayStream>> {
    let open = || File::open(path).map_err(|e| Error::io(path, e));
    let mut archive = {
        let file = BufReader::new(open()?);
        contained(path, ".npz", || ZipArchive::new(file))?
    };
    if archive.len() > MOST_ARRAYS {
        return Err(Error::format(path, format!("{} arrays ({MOST_ARRAYS} are the most)", archive.len())));
    }
    let mut arrays = Vec::new();
    for at in 0..archive.len() {
        let entry = contained(path, ".npz", || archive.by_index_raw(at))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if name.ends_with(".pkl") {
            // torch.save writes a zip too.
            return Err(Error::format(path, PICKLE));
        }
        let Some(key) = name.strip_suffix(".npy").map(String::from) else { continue };
        let (start, size, method) = (entry.data_start(), entry.compressed_size(), entry.compression());
        drop(entry);
        let refused = |why: &str| Error::format(path, format!("array {key:?}: {why}"));
        let start = start.ok_or_else(|| refused("it has no place in the file"))?;
        let mut file = open()?;
        file.seek(SeekFrom::Start(start)).map_err(|e| Error::io(path, e))?;
        let raw = BufReader::new(file.take(size));
        let reader: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(raw),
            CompressionMethod::DEFLATE => inflated(raw),
            other => return Err(refused(&format!("compression {other} is not read; np.savez writes none"))),
        };
        arrays.push(opened(path, key, reader)?);
    }
    Ok(arrays)
}

fn opened(path: &Path, name: String, mut reader: Box<dyn Read + Send>) -> Result<ArrayStream> {
    let refused = |why: String| Error::format(path, format!("array {name:?}: {why}"));
    let header = header(&mut reader).map_err(refused)?;
    let (element, big_endian) = element_of(&header.descr).ok_or_else(|| {
        refused(if header.descr.contains('O') {
            PICKLE.to_string()
        } else {
            format!("dtype {} is not read", header.descr)
        })
    })?;
    if header.fortran_order && header.shape.len() > 1 {
        return Err(refused(
            "it is stored column by column; np.save(np.ascontiguousarray(x)) writes rows".to_string(),
        ));
    }
    let shape = if header.shape.is_empty() { vec![1] } else { header.shape };
    Ok(ArrayStream { name, element, big_endian, shape, reader })
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads up to the first element.
fn header(reader: &mut dyn Read) -> Result<Header, String> {
    let mut take = |len: usize| {
        let mut bytes = vec![0; len];
        reader.read_exact(&mut bytes).map(|()| bytes).map_err(|_| "its header is cut off".to_string())
    };
    let head = take(8)?;
    if !head.starts_with(b"\x93NUMPY") {
        return Err("it is no .npy array".to_string());
    }
    // Version 1 has two bytes of length, later ones four.
    let size = if head.get(6) == Some(&1) { take(2)? } else { take(4)? };
    let len = size.iter().rev().fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
    if len > MOST_HEADER {
        return Err(format!("a header of {len} bytes ({MOST_HEADER} are the most)"));
    }
    let text = String::from_utf8(take(len)?).map_err(|_| "its header is no text".to_string())?;
    parse(&text).ok_or_else(|| format!("its header is not NumPy's: {}", text.trim()))
}

/// `{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(text: &str) -> Option<Header> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        Some(rest.trim_start_matches(['\'', '"', ':', ' ']))
    };
    let descr = value("'descr'")?.split(['\'', ',']).next()?.to_string();
    let fortran_order = value("'fortran_order'")?.starts_with("True");
    let (inside, _) = value("'shape'")?.strip_prefix('(')?.split_once(')')?;
    let numbers = inside.split(',').map(str::trim).filter(|number| !number.is_empty());
    let shape = numbers.map(|number| number.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some(Header { descr, fortran_order, shape })
}

/// `<i8` as an element, and whether its bytes stand the other way round.
fn element_of(descr: &str) -> Option<(Element, bool)> {
    let mut chars = descr.chars();
    let (order, kind) = (chars.next()?, chars.next()?);
    let bytes = chars.as_str().parse::<usize>().ok().filter(|bytes| [1, 2, 4, 8].contains(bytes))?;
    let element = match kind {
        'b' => Element::Bool,
        'u' => Element::Unsigned(bytes),
        'i' => Element::Signed(bytes),
        'f' if bytes > 1 => Element::Float(bytes),
        _ => return None,
    };
    Some((element, order == '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let text = "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4), }          \n";
        let wanted = Header { descr: "<i8".into(), fortran_order: false, shape: vec![3, 4] };
        assert_eq!(parse(text), Some(wanted));
        assert_eq!(
            parse("{'descr': '|b1', 'fortran_order': True, 'shape': (), }").map(|h| h.shape),
            Some(vec![])
        );
        assert_eq!(parse("{'descr': '<i8', 'fortran_order': False, 'shape': (-3,), }"), None);
        assert_eq!(parse("{'descr': [('a', '<i8')]}"), None);
    }

    #[test]
    fn dtypes_are_told() {
        assert_eq!(element_of("<i4"), Some((Element::Signed(4), false)));
        assert_eq!(element_of(">u2"), Some((Element::Unsigned(2), true)));
        assert_eq!(element_of("|b1"), Some((Element::Bool, false)));
        assert_eq!((element_of("|O"), element_of("<U3"), element_of("")), (None, None, None));
    }

    #[test]
    fn damage_is_an_error() {
        let damaged: [&[u8]; 4] = [
            b"",
            b"\x93NUMPY\x01\x00\xff\xff",
            b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
            b"\x93NUMPY\x01\x00\x02\x00{}",
        ];
        for mut bytes in damaged {
            assert!(header(&mut bytes).is_err());
        }
    }
}
