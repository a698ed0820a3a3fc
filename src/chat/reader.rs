//! Files of samples, read whole: every layout, plain or compressed. Errors name the line and the sample.

use std::path::Path;

use serde_json::Value;

use super::layout::{self, Detection, Layout};
use super::sample::Sample;
use crate::data::{Record, Records, sources};
use crate::error::{Error, Result};

/// Rows that detection looks at: the first and others spread over the file.
const LOOKED_AT: usize = 64;

/// The samples of a file, and which layout they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    pub samples: Vec<Sample>,
    /// `None` where the layout was given, or no rule fits any row.
    pub detection: Option<Detection>,
}

/// Reads a data file (a folder or a pattern: all of its files); `-` reads standard input. `layout` forces one.
///
/// # Errors
/// What cannot be read, and rows that are not as their layout says.
pub fn read_samples(path: &Path, layout: Option<Layout>) -> Result<SampleFile> {
    let mut records = Vec::new();
    for source in sources(&[path.to_path_buf()])? {
        for record in Records::open(&source)? {
            records.push(record?);
        }
    }
    samples_of(&records, layout, path)
}

/// Reads the bytes of a data file; `path` only names it in errors.
///
/// # Errors
/// As [`read_samples`].
pub fn parse_samples(bytes: &[u8], path: &Path) -> Result<Vec<Sample>> {
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let records: Vec<Record> = Records::new(path.display().to_string(), reader).collect::<Result<_>>()?;
    Ok(samples_of(&records, None, path)?.samples)
}

fn samples_of(records: &[Record], layout: Option<Layout>, path: &Path) -> Result<SampleFile> {
    if records.is_empty() {
        let message = "there is no conversation in this file".to_string();
        return Err(Error::Json { path: path.to_path_buf(), line: 1, message });
    }
    let rows: Vec<Value> = records.iter().map(row_of).collect::<Result<_>>()?;
    let detection = match layout {
        Some(_) => None,
        None => {
            let step = rows.len().div_ceil(LOOKED_AT);
            let some: Vec<&Value> = rows.iter().step_by(step).collect();
            layout::detect(&some)
        }
    };
    let samples = rows.iter().zip(records).enumerate().map(|(index, (row, record))| {
        let line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
        sample_of(row, layout, index, line, Path::new(&record.place.file))
    });
    Ok(SampleFile { samples: samples.collect::<Result<_>>()?, detection })
}

fn row_of(record: &Record) -> Result<Value> {
    let first_line = usize::try_from(record.place.line).unwrap_or(usize::MAX);
    serde_json::from_slice(&record.bytes).map_err(|e| Error::Json {
        path: record.place.file.clone().into(),
        line: first_line + e.line().saturating_sub(1),
        message: e.to_string(),
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
        assert_eq!(array[1], Sample { id: "1".into(), has_image: true, media: 2, ..Sample::default() });
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
