//! Files of samples, every layout, plain or compressed: record by record, so that the text of a file is never in memory
//! as a whole. Errors name the line and the sample.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

use super::layout::{self, Detection, Layout, Votes};
use super::other_readers::{ColumnTypes, FileShape, lenient_value};
use super::sample::Sample;
use crate::data::{ByteCounter, Record, RecordError, Records, sources};
use crate::error::{Error, Result};

/// Records that are parsed at once, between two looks at whether the reading is still wanted, and about how many bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// The samples of a file, and which layout they have.
#[derive(Debug, Default)]
pub struct SampleFile {
    pub samples: Vec<Sample>,
    /// `None` where the layout was given, or no rule fits any row.
    pub detection: Option<Detection>,
    /// Records that are no samples: left out by [`read_sound_samples`], always zero from [`read_samples`].
    pub left_out: usize,
    /// Why the first of them is none.
    pub first_problem: Option<Error>,
    /// What other readers refuse of the files, in sentences.
    pub notes: Vec<String>,
}

/// How far the reading of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadProgress {
    pub samples: usize,
    /// Bytes read, as they lie on the disk.
    pub bytes: u64,
    /// Bytes to read; `None` for standard input.
    pub total: Option<u64>,
}

/// Reads a data file (a folder or a pattern: all of its files); `-` reads standard input. `layout` forces one.
///
/// # Errors
/// What cannot be read, and the first record that is no sample.
pub fn read_samples(path: &Path, layout: Option<Layout>) -> Result<SampleFile> {
    read(path, Gathering::new(layout, true), &mut |_| ControlFlow::Continue(()))
}

/// The same, but records that are no samples are left out and counted. `progress` is told how far it is, and ends the
/// reading that was cancelled.
///
/// # Errors
/// What cannot be read, a file without any sample, and [`Error::Cancelled`].
pub fn read_sound_samples(
    path: &Path,
    layout: Option<Layout>,
    progress: &mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
) -> Result<SampleFile> {
    read(path, Gathering::new(layout, false), progress)
}

fn read(
    path: &Path,
    mut gathering: Gathering,
    progress: &mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
) -> Result<SampleFile> {
    let meter = ByteCounter::default();
    let sources = sources(&[path.to_path_buf()])?;
    let total = sources.iter().map(|source| source.size()).sum();
    for source in sources {
        let mut records = Records::counted(&source, &meter)?;
        gathering.shape = FileShape::default();
        loop {
            let batch = next_batch(&mut records)?;
            if batch.is_empty() {
                break;
            }
            gathering.take(&batch)?;
            let done = ReadProgress { samples: gathering.file.samples.len(), bytes: meter.read(), total };
            if progress(done).is_break() {
                return Err(Error::Cancelled);
            }
        }
        gathering.shape.quirks = records.quirks();
        let notes = gathering.shape.notes(&source.name());
        gathering.file.notes.extend(notes);
    }
    gathering.finish(path)
}

fn next_batch(records: &mut Records) -> Result<Vec<Record>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Some(record) = records.next().transpose()? else { break };
        bytes += record.bytes.len();
        batch.push(record);
    }
    Ok(batch)
}

/// The role of a turn that is a call, in ms-swift's rows.
const CALL_ROLE: &str = "tool_call";

/// What the first records of a data file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeekedRows {
    pub layout: Layout,
    /// Calls are turns of the role `tool_call`, which ms-swift reads.
    pub has_call_turns: bool,
}

impl PeekedRows {
    /// Rows of a layout, by the first samples that were read of them.
    pub fn of_samples(layout: Layout, samples: &[Sample]) -> Self {
        let is_call = |sample: &Sample| {
            sample.conversation().is_some_and(|found| has_turn_of(&found.messages, CALL_ROLE))
        };
        Self { layout, has_call_turns: samples.iter().take(BATCH).any(is_call) }
    }
}

/// The rows of a data file by its first records; `layout` is the one that is forced. `None` for standard input, which can be
/// read once only, and where no rule fits.
///
/// # Errors
/// What cannot be read.
pub fn peek_rows(path: &Path, layout: Option<Layout>) -> Result<Option<PeekedRows>> {
    if path == Path::new("-") {
        return Ok(layout.map(|layout| PeekedRows { layout, has_call_turns: false }));
    }
    let mut votes = Votes::default();
    let mut has_call_turns = false;
    if let Some(source) = sources(&[path.to_path_buf()])?.first() {
        let mut records = Records::counted(source, &ByteCounter::default())?;
        // A record that cannot be read is reported when all are.
        for record in next_batch(&mut records).unwrap_or_default() {
            let row = row_of(&record).ok().map(|(row, _)| row);
            votes.count(row.as_ref().and_then(Layout::of_row));
            let messages = row.as_ref().and_then(|row| row.get("messages")?.as_array());
            has_call_turns |= messages.is_some_and(|messages| has_turn_of(messages, CALL_ROLE));
        }
    }
    let layout = layout.or_else(|| votes.winner().map(|found| found.layout));
    Ok(layout.map(|layout| PeekedRows { layout, has_call_turns }))
}

fn has_turn_of(messages: &[Value], role: &str) -> bool {
    messages.iter().any(|message| super::role(message) == role)
}

/// Reads the bytes of a data file; `path` only names it in errors.
///
/// # Errors
/// As [`read_samples`].
pub fn parse_samples(bytes: &[u8], path: &Path) -> Result<Vec<Sample>> {
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let records: Vec<Record> = Records::new(path.display().to_string(), reader).collect::<Result<_>>()?;
    let mut gathering = Gathering::new(None, true);
    gathering.take(&records)?;
    Ok(gathering.finish(path)?.samples)
}

/// What one record came to.
struct ReadRow {
    layout: Option<Layout>,
    sample: Result<Sample>,
    has_commas: bool,
    types: ColumnTypes,
}

/// Samples as they come in.
struct Gathering {
    /// The layout that is forced.
    layout: Option<Layout>,
    /// The first record that is no sample ends it.
    strict: bool,
    file: SampleFile,
    votes: Votes,
    records: usize,
    /// Of the file that is being read.
    shape: FileShape,
}

impl Gathering {
    fn new(layout: Option<Layout>, strict: bool) -> Self {
        Self {
            layout,
            strict,
            file: SampleFile::default(),
            votes: Votes::default(),
            records: 0,
            shape: FileShape::default(),
        }
    }

    fn take(&mut self, batch: &[Record]) -> Result<()> {
        let (forced, first) = (self.layout, self.records);
        let one = |(n, record): (usize, &Record)| -> ReadRow {
            let (row, has_commas) = match row_of(record) {
                Ok(read) => read,
                Err(e) => {
                    return ReadRow {
                        layout: None,
                        sample: Err(e),
                        has_commas: false,
                        types: ColumnTypes::default(),
                    };
                }
            };
            let line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
            let layout = forced.or_else(|| Layout::of_row(&row));
            let sample = sample_of(&row, layout, first + n, line, Path::new(&record.place.file));
            ReadRow { layout, sample, has_commas, types: ColumnTypes::of_row(&row) }
        };
        let read: Vec<ReadRow> = batch.par_iter().enumerate().map(one).collect();
        self.records += batch.len();
        batch.iter().for_each(|record| self.shape.count(record));
        for ReadRow { layout, sample, has_commas, types } in read {
            self.shape.with_trailing_commas += usize::from(has_commas);
            self.shape.types.join(types);
            self.votes.count(layout);
            match sample {
                Ok(sample) => self.file.samples.push(sample),
                Err(error) if self.strict => return Err(error),
                Err(error) => {
                    self.file.left_out += 1;
                    self.file.first_problem.get_or_insert(error);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, path: &Path) -> Result<SampleFile> {
        if self.file.samples.is_empty() {
            let message = "there is no conversation in this file".to_string();
            let nothing = || Error::Json { path: PathBuf::from(path), line: 1, message };
            return Err(self.file.first_problem.unwrap_or_else(nothing));
        }
        if self.layout.is_none() {
            self.file.detection = self.votes.winner();
        }
        Ok(self.file)
    }
}

/// The JSON of a record, and whether commas before closing brackets were left out of it.
fn row_of(record: &Record) -> Result<(Value, bool)> {
    let first_line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
    lenient_value(record).map_err(|error| match error {
        RecordError::Json(error) => Error::json_from(&record.place.file, first_line, &error),
        RecordError::Refused(message) => {
            Error::Json { path: PathBuf::from(&record.place.file), line: first_line, message }
        }
    })
}

/// The sample that a row holds, by the rule that it satisfies unless a layout is forced; `index`, `line` and `path`
/// name it in errors.
///
/// # Errors
/// A row that is no object, that no rule fits, or that is not as its layout says.
pub fn sample_of(
    row: &Value,
    layout: Option<Layout>,
    index: usize,
    line: usize,
    path: &Path,
) -> Result<Sample> {
    let id = layout::id_of(row).unwrap_or_else(|| index.to_string());
    let broken =
        |message: String| Error::Sample { path: path.to_path_buf(), line, sample: id.clone(), message };
    if !row.is_object() {
        return Err(broken("expected a JSON object".to_string()));
    }
    let layout = match layout.or_else(|| Layout::of_row(row)) {
        Some(layout) => layout,
        // A row that is nearly LLaVA's gets the error that says what is missing.
        None if row.get("conversations").is_some() => Layout::Llava,
        None => {
            let keys: Vec<&str> =
                row.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            let rules: Vec<String> =
                Layout::ALL.iter().map(|layout| format!("{} ({})", layout.word(), layout.rule())).collect();
            return Err(broken(format!(
                "no layout fits its keys [{}]; known are {}",
                keys.join(", "),
                rules.join(", ")
            )));
        }
    };
    layout::read(layout, row, id.clone()).map_err(|e| broken(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Sample>> {
        parse_samples(text.as_bytes(), Path::new("data.json"))
    }

    #[test]
    fn arrays_and_lines_give_the_same_samples() {
        let one = r#"{"id": "a", "conversations": [{"from": "human", "value": "x"}]}"#;
        let two = r#"{"image": ["1.jpg", "2.jpg"], "conversations": []}"#;
        let array = parse(&format!("[{one},\n{two}]")).expect("array");
        assert_eq!(array, parse(&format!("{one}\n\n{two}\n")).expect("lines"));
        assert_eq!(array[0].id, "a");
        let files = crate::chat::MediaFiles { images: Some(2), ..Default::default() };
        let expected = Sample { id: "1".into(), has_image: true, media: 2, files, ..Sample::default() };
        assert_eq!(array[1], expected);
    }

    #[test]
    fn errors_name_line_and_sample() {
        let error =
            parse("[\n{\"conversations\": []},\n\n{\"id\": \"b\", \"turns\": 1}]").expect_err("no layout");
        let text = error.to_string();
        assert!(
            text.starts_with("data.json, line 4, sample b: no layout fits its keys [id, turns]"),
            "{text}"
        );
        let error =
            parse("{\"conversations\": []}\n{\"conversations\": [{\"from\": 1}]}").expect_err("no from");
        assert!(error.to_string().contains("line 2, sample 1: turn 1: \"from\""), "{error}");
        let error = parse("{\"conversations\": []}\n{oops").expect_err("broken");
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(parse("").is_err() && parse("[]").is_err());
    }

    #[test]
    fn records_that_are_no_samples_are_left_out_and_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows.jsonl");
        let good = "{\"conversations\": []}\n";
        std::fs::write(&path, format!("{good}{{oops\n{good}7\n")).expect("written");
        assert!(read_samples(&path, None).is_err());
        let mut seen = Vec::new();
        let file = read_sound_samples(&path, None, &mut |progress| {
            seen.push(progress);
            ControlFlow::Continue(())
        });
        let file = file.expect("reads");
        // Ids count all records, so that those of a scan are the same.
        assert_eq!(file.samples.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["0", "2"]);
        assert_eq!(file.left_out, 2);
        assert!(file.first_problem.expect("a problem").to_string().contains("line 2"));
        let size = std::fs::metadata(&path).expect("there").len();
        assert_eq!(seen, [ReadProgress { samples: 2, bytes: size, total: Some(size) }]);
        let stopped = read_sound_samples(&path, None, &mut |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(Error::Cancelled)));
        std::fs::write(&path, "7\n").expect("written");
        let none = read_sound_samples(&path, None, &mut |_| ControlFlow::Continue(()));
        assert!(none.expect_err("no sample").to_string().contains("expected a JSON object"));
    }

    #[test]
    fn compressed_files_and_layouts_are_recognised() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rows.jsonl.gz");
        let rows = "{\"conv\": \"c\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n";
        // A stored block: gzip without compressing.
        std::fs::write(&path, stored_gzip(rows.as_bytes())).expect("written");
        let file = read_samples(&path, None).expect("reads");
        assert_eq!(
            (file.samples[0].id.as_str(), file.detection.map(|d| d.layout)),
            ("c", Some(Layout::OpenAi))
        );
        assert!(read_samples(&path, Some(Layout::Alpaca)).is_err());
    }

    /// The bytes of a gzip file with one stored block.
    fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
        let mut crc = !0_u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        let len = u16::try_from(bytes.len()).expect("short");
        let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(bytes);
        out.extend((!crc).to_le_bytes());
        out.extend(u32::from(len).to_le_bytes());
        out
    }

    #[test]
    fn deep_nesting_is_an_error_not_an_overflow() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
    }
}
