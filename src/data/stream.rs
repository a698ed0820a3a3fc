//! One record after another out of a stream of bytes: the elements of a JSON array, or JSON values one behind the other.
//!
//! The cut between records needs no parser: brackets are counted, strings are skipped. What is cut out is parsed by
//! serde_json afterwards, off the reading thread.

use std::io::Read;

use super::byte_counter::ByteCounter;
use super::cutter::{Cutter, Pause};
use super::parquet::ParquetRows;
use super::record::{Record, RecordPosition};
use super::sources::{Opened, RecordSource};
use crate::error::{Error, Result};

/// Of a record larger than this the beginning is kept, and it counts as none: a bracket that never closes would take all
/// memory.
const MAX_RECORD: usize = 64 << 20;

/// A stream is given up behind so many bytes that belong to no record or to one: an endless device, a bomb of blanks.
const MAX_SKIPPED: u64 = 1 << 30;

/// Bytes that are kept of what is no record.
const MOST_KEPT: usize = 4096;

/// The records of one source.
pub struct Records {
    name: String,
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Next byte of the buffer.
    at: usize,
    line: u64,
    byte: u64,
    index: u64,
    ended: bool,
    /// Length of the last record: the next one is likely to be about as long.
    usual: usize,
    /// Every line is a record, whatever stands on it.
    by_line: bool,
    /// Rows of a Parquet file in place of bytes.
    rows: Option<Box<ParquetRows>>,
    quirks: Quirks,
}

/// How a source differs from what every reader takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// It begins with a byte order mark.
    pub bom: bool,
    /// It is an array of records.
    pub array: bool,
    /// A comma stands before the bracket that closes the array.
    pub trailing_comma: bool,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("name", &self.name).field("byte", &self.byte).finish_non_exhaustive()
    }
}

impl Records {
    /// The records of a source.
    ///
    /// # Errors
    /// A file that cannot be opened.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn open(source: &RecordSource) -> Result<Self> {
        Self::counted(source, &ByteCounter::default())
    }

    /// The same, with what is read counted by `counter`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn counted(source: &RecordSource, counter: &ByteCounter) -> Result<Self> {
        Ok(match source.open(counter)? {
            Opened::Json(reader) => Self::new(source.name(), reader),
            Opened::Parquet(rows) => {
                let rows = Some(Box::new(rows));
                Self { rows, ..Self::new(source.name(), Box::new(std::io::empty())) }
            }
        })
    }

    /// Takes every line for a record, so that a bracket left open spoils its own line only.
    pub fn by_line(mut self, by_line: bool) -> Self {
        self.by_line = by_line;
        self
    }

    /// The records of bytes.
    pub fn new(name: String, reader: Box<dyn Read + Send>) -> Self {
        Self {
            name,
            reader,
            buffer: Vec::new(),
            at: 0,
            line: 1,
            byte: 0,
            index: 0,
            ended: false,
            usual: 0,
            by_line: false,
            rows: None,
            quirks: Quirks::default(),
        }
    }

    /// How the source differs from what every reader takes, as far as it was read.
    pub fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// The next byte without taking it; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        if self.at >= self.buffer.len() {
            if self.ended {
                return Ok(None);
            }
            self.buffer.resize(1 << 17, 0);
            let got = loop {
                match self.reader.read(&mut self.buffer) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    result => break result.map_err(|e| Error::io(&self.name, e))?,
                }
            };
            self.buffer.truncate(got);
            self.at = 0;
            if got == 0 {
                self.ended = true;
                return Ok(None);
            }
        }
        Ok(self.buffer.get(self.at).copied())
    }

    fn take(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.at += 1;
            self.byte += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    /// Skips what stands between records: blanks, commas, the brackets of the array, a byte order mark.
    fn skip_between(&mut self) -> Result<Option<u8>> {
        let begin = self.byte;
        let mut comma = false;
        loop {
            match self.peek()? {
                Some(byte @ (b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']' | 0xEF | 0xBB | 0xBF)) => {
                    self.quirks.bom |= byte == 0xEF && self.byte == 0;
                    self.quirks.array |= byte == b'[' && self.index == 0;
                    self.quirks.trailing_comma |= byte == b']' && comma;
                    comma = byte == b',' || (comma && byte.is_ascii_whitespace());
                    self.take()?;
                    if self.byte - begin > MAX_SKIPPED / 8 {
                        return Err(self.given_up(self.line, "blanks and brackets without a record"));
                    }
                }
                next => return Ok(next),
            }
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        let Some(first) = self.skip_between()? else { return Ok(None) };
        let place =
            RecordPosition { file: self.name.clone(), line: self.line, byte: self.byte, index: self.index };
        self.index += 1;
        let mut bytes = Vec::with_capacity((self.usual + self.usual / 8).min(1 << 16));
        if self.by_line {
            while let Some(byte) = self.peek()?.filter(|b| *b != b'\n') {
                self.take()?;
                keep(&mut bytes, &[byte], self.byte - place.byte);
                self.check_length(&place)?;
            }
            let whole = self.byte - place.byte <= MAX_RECORD as u64;
            let bytes = if whole { bytes.trim_ascii_end().to_vec() } else { bytes };
            return Ok(Some(self.record(place, bytes)));
        }
        if first != b'{' {
            // No record begins like this. A value of an array ends at its comma or bracket; of anything else the line
            // is taken, so that the next record is found.
            let mut string = (false, false);
            while let Some(byte) = self.peek()?.filter(|b| *b != b'\n') {
                if !string.0 && matches!(byte, b',' | b']') && is_value(&bytes) {
                    break;
                }
                string = match (string, byte) {
                    ((true, true), _) => (true, false),
                    ((true, false), b'\\') => (true, true),
                    ((inside, _), b'"') => (!inside, false),
                    (string, _) => string,
                };
                self.take()?;
                if bytes.len() < MOST_KEPT {
                    bytes.push(byte);
                }
                if self.byte - place.byte > MAX_RECORD as u64 {
                    return Err(self.given_up(place.line, "a line that is no JSON and does not end"));
                }
            }
            return Ok(Some(Record::new(place, bytes)));
        }
        let mut cutter = Cutter::default();
        while self.peek()?.is_some() {
            let piece = self.buffer.get(self.at..).unwrap_or_default();
            let (used, pause) = cutter.advance(piece);
            let piece = piece.get(..used).unwrap_or_default();
            keep(&mut bytes, piece, self.byte - place.byte + used as u64);
            self.line += u64::from(piece.ends_with(b"\n"));
            self.at += used;
            self.byte += u64::try_from(used).unwrap_or(u64::MAX);
            self.check_length(&place)?;
            match pause {
                Pause::End => break,
                Pause::Line if self.peek()? == Some(b'{') && !stands_alone(&bytes) => break,
                Pause::Line | Pause::More => {}
            }
        }
        self.usual = bytes.len();
        Ok(Some(self.record(place, bytes)))
    }

    /// The record that ends here.
    fn record(&self, place: RecordPosition, bytes: Vec<u8>) -> Record {
        let len = self.byte - place.byte;
        let refused = (len > MAX_RECORD as u64)
            .then(|| format!("a record of {len} bytes ({MAX_RECORD} are the most); is a bracket left open?"));
        Record { refused, ..Record::new(place, bytes) }
    }

    fn check_length(&self, place: &RecordPosition) -> Result<()> {
        match self.byte - place.byte > MAX_SKIPPED {
            true => Err(self.given_up(place.line, "a record that does not end; is a bracket left open?")),
            false => Ok(()),
        }
    }

    fn given_up(&self, line: u64, what: &str) -> Error {
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        Error::Json { path: self.name.clone().into(), line, message: format!("given up: {what}") }
    }
}

/// Appends a piece of a record that is `len` bytes long with it; of one that is too large the beginning stays.
fn keep(bytes: &mut Vec<u8>, piece: &[u8], len: u64) {
    if len <= MAX_RECORD as u64 {
        bytes.extend_from_slice(piece);
    } else if bytes.len() > MOST_KEPT {
        bytes.truncate(MOST_KEPT);
        bytes.shrink_to_fit();
    }
}

/// True for a whole JSON value; never for one that was too long to be kept.
fn is_value(bytes: &[u8]) -> bool {
    bytes.len() < MOST_KEPT && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// True for a record whose first line is a bracket and nothing else: written over many lines, perhaps without
/// indentation. In any other one a bracket at the beginning of a line opens the next record, and this one was never
/// closed.
fn stands_alone(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').next().is_some_and(|line| line.trim_ascii() == b"{")
}

impl Iterator for Records {
    type Item = Result<Record>;

    /// An error ends the stream: what follows it cannot be told apart.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(rows) = &mut self.rows {
            let next = rows.next();
            if matches!(next, Some(Err(_))) {
                self.rows = None;
                self.ended = true;
            }
            return next;
        }
        let next = self.next_record().transpose();
        if matches!(next, Some(Err(_))) {
            (self.ended, self.at) = (true, self.buffer.len());
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Record> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        Records::new("x".into(), reader).map(|r| r.expect("a record")).collect()
    }

    #[test]
    fn arrays_and_lines_give_the_same_records_with_their_places() {
        let (one, two) = (r#"{"a": "]}\"{", "b": [1, {"c": 2}]}"#, r#"{"x": "[,"}"#);
        let array = records(&format!("[\n{one},\n {two}\n]\n"));
        let lines = records(&format!("\u{feff}{one}\n\n{two}"));
        let texts = |all: &[Record]| -> Vec<Vec<u8>> { all.iter().map(|r| r.bytes.clone()).collect() };
        assert_eq!(texts(&array), [one.as_bytes(), two.as_bytes()]);
        assert_eq!(texts(&array), texts(&lines));
        assert_eq!((array[0].place.line, array[1].place.line, lines[1].place.line), (2, 3, 3));
        assert_eq!(array[1].place.index, 1);
    }

    #[test]
    fn a_broken_line_does_not_take_the_next_ones_with_it() {
        let all = records("{\"a\": 1}\noops {\n{\"b\": 2}\n");
        let texts: Vec<String> = all.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()).collect();
        assert_eq!(texts, ["{\"a\": 1}", "oops {", "{\"b\": 2}"]);
    }

    #[test]
    fn a_value_that_is_no_record_does_not_take_the_rest_of_its_line_with_it() {
        let all = records(r#"[{"a": 1}, 7, null, "x, ] \" y" ,{"b": 2},[1,{"c": 3}], oops, {"d": 4}]"#);
        let texts: Vec<String> = all.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()).collect();
        let values = [r#"{"a": 1}"#, "7", "null", r#""x, ] \" y" "#, r#"{"b": 2}"#, "1", r#"{"c": 3}"#];
        assert_eq!(texts[..values.len()], values);
        assert_eq!(texts[values.len()..], [r#"oops, {"d": 4}]"#]);
    }

    #[test]
    fn an_open_bracket_or_string_spoils_its_own_record_only() {
        let wide = "{\n\"a\": [\n{\n\"b\": 1\n}\n]\n}";
        let all = records(&format!("{{\"a\": [1,\n{{\"b\": \"x\n{{\"c\": 3}}\n{wide}\n{{\"d\":\n 4}}\n"));
        let texts: Vec<String> = all.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()).collect();
        assert_eq!(texts, ["{\"a\": [1,\n", "{\"b\": \"x\n", "{\"c\": 3}", wide, "{\"d\":\n 4}"]);
        assert_eq!(all.iter().map(|r| r.place.line).collect::<Vec<_>>(), [1, 2, 3, 4, 11]);
    }

    #[test]
    fn line_by_line_an_open_bracket_spoils_its_own_line_only() {
        let reader = Box::new(std::io::Cursor::new(b"{\"a\": [1\r\n\n{\"b\": 2}\n".to_vec()));
        let records = Records::new("x".into(), reader).by_line(true);
        let texts: Vec<(u64, String)> = records
            .map(|r| r.expect("a record"))
            .map(|r| (r.place.line, String::from_utf8_lossy(&r.bytes).into_owned()))
            .collect();
        assert_eq!(texts, [(1, "{\"a\": [1".to_string()), (3, "{\"b\": 2}".to_string())]);
    }
}
