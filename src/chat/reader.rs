//! LLaVA data files: a JSON array of records, or one record a line. Errors name the line and the sample.

use std::io::Read;
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

use super::sample::{Sample, Turn};
use crate::error::{Error, Result};

/// Reads a data file; `-` reads standard input.
pub fn read_samples(path: &Path) -> Result<Vec<Sample>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    } else {
        bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    }
    parse_samples(&bytes, path)
}

/// Reads the bytes of a data file; `path` only names it in errors.
pub fn parse_samples(bytes: &[u8], path: &Path) -> Result<Vec<Sample>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Error::Json { path: path.to_path_buf(), line, message: "the text is not valid UTF-8".to_string() }
    })?;
    let records = if text.trim_start().starts_with('[') { array(text, path)? } else { lines(text, path)? };
    if records.is_empty() {
        let message = "there is no conversation in this file".to_string();
        return Err(Error::Json { path: path.to_path_buf(), line: 1, message });
    }
    records.iter().enumerate().map(|(i, (line, value))| sample_of(value, i, *line, path)).collect()
}

/// The elements of a JSON array with the lines they begin on.
fn array(text: &str, path: &Path) -> Result<Vec<(usize, Value)>> {
    let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| Error::json(path, &e))?;
    let (mut line, mut at) = (1, 0);
    let mut records = Vec::with_capacity(raw.len());
    for element in raw {
        let start = (element.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        line += text.get(at..start).unwrap_or("").matches('\n').count();
        at = start;
        let value = serde_json::from_str(element.get()).map_err(|e| shifted(path, &e, line))?;
        records.push((line, value));
    }
    Ok(records)
}

/// One record a line (blank lines are skipped), or several records one after another.
fn lines(text: &str, path: &Path) -> Result<Vec<(usize, Value)>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let (mut line, mut at) = (1, 0);
    let mut records = Vec::new();
    loop {
        let rest = text.get(stream.byte_offset()..).unwrap_or("");
        let start = text.len() - rest.trim_start().len();
        line += text.get(at..start).unwrap_or("").matches('\n').count();
        at = start;
        match stream.next() {
            None => return Ok(records),
            Some(Ok(value)) => records.push((line, value)),
            Some(Err(e)) => return Err(Error::json(path, &e)),
        }
    }
}

fn shifted(path: &Path, error: &serde_json::Error, first_line: usize) -> Error {
    let line = first_line + error.line().saturating_sub(1);
    Error::Json { path: path.to_path_buf(), line, message: error.to_string() }
}

/// The sample that a record holds; `index`, `line` and `path` name it in errors.
///
/// # Errors
/// A record that is no object, or whose turns are not as LLaVA writes them.
pub fn sample_of(value: &Value, index: usize, line: usize, path: &Path) -> Result<Sample> {
    let id = match value.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(id @ Value::Number(_)) => id.to_string(),
        _ => index.to_string(),
    };
    let broken = |message: &str| Error::Sample {
        path: path.to_path_buf(),
        line,
        sample: id.clone(),
        message: message.to_string(),
    };
    let record = value.as_object().ok_or_else(|| broken("expected a JSON object with \"conversations\""))?;
    let turns = record.get("conversations").ok_or_else(|| {
        broken("the key \"conversations\" is missing (LLaVA layout: a list of {\"from\", \"value\"})")
    })?;
    let turns = turns.as_array().ok_or_else(|| broken("\"conversations\" is not a list"))?;
    let mut conversations = Vec::with_capacity(turns.len());
    for (n, turn) in turns.iter().enumerate() {
        let text = |key: &str| {
            let found = turn.get(key).and_then(Value::as_str);
            found.ok_or_else(|| broken(&format!("turn {}: {key:?} is missing or not a string", n + 1)))
        };
        conversations.push(Turn::new(text("from")?, text("value")?));
    }
    let media = ["image", "video"].iter().filter_map(|key| record.get(*key)).map(count_media).sum();
    let has_image = record.contains_key("image") || record.contains_key("video");
    Ok(Sample { id, conversations, has_image, media })
}

fn count_media(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len(),
        Value::Null => 0,
        _ => 1,
    }
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
        assert_eq!(array[1], Sample { id: "1".into(), conversations: vec![], has_image: true, media: 2 });
    }

    #[test]
    fn errors_name_line_and_sample() {
        let error = parse("[\n{\"conversations\": []},\n\n{\"id\": \"b\"}]").expect_err("no conversations");
        let text = error.to_string();
        assert!(
            text.starts_with("data.json, line 4, sample b: the key \"conversations\" is missing"),
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
    fn deep_nesting_is_an_error_not_an_overflow() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
    }
}
