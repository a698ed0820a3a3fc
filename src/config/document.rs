//! A TOML file as entries with their lines, so that every complaint names file, line and what was probably meant.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};

/// More than anybody writes by hand.
const MOST_BYTES: u64 = 1 << 20;

/// A value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TomlValue {
    Text(String),
    Flag(bool),
    /// A number as it is written.
    Number(String),
    Texts(Vec<String>),
    Table(Vec<TomlEntry>),
    /// Anything else: a date, a list of numbers.
    Other,
}

impl TomlValue {
    /// As a file has it.
    pub fn written(&self) -> String {
        match self {
            Self::Text(text) => toml::Value::from(text.as_str()).to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.clone(),
            Self::Texts(texts) => {
                let quoted: Vec<String> =
                    texts.iter().map(|text| Self::Text(text.clone()).written()).collect();
                format!("[{}]", quoted.join(", "))
            }
            Self::Table(_) | Self::Other => String::new(),
        }
    }
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlEntry {
    pub key: String,
    /// From 1.
    pub line: usize,
    pub value: TomlValue,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFile {
    pub path: PathBuf,
    pub entries: Vec<TomlEntry>,
}

impl TomlFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or is no TOML.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = crate::guard::read_plain(path, MOST_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::format(path, "this file is not UTF-8"))?;
        Self::parse(path, &text)
    }

    /// The entries of a text that stands in `path`.
    ///
    /// # Errors
    /// A text that is no TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            complaint(path, line_at(text, at), error.message())
        })?;
        Ok(Self { path: path.to_path_buf(), entries: entries(text, table.get_ref()) })
    }

    /// An error that names this file and a line of it.
    pub fn complain(&self, line: usize, message: &str) -> Error {
        complaint(&self.path, line, message)
    }

    /// An error for a key that is not known, with the nearest that is.
    pub fn unknown(&self, entry: &TomlEntry, known: &[&str]) -> Error {
        let meant =
            nearest(&entry.key, known).map_or(String::new(), |key| format!("; did you mean {key:?}?"));
        self.complain(entry.line, &format!("unknown key {:?}{meant}", entry.key))
    }

    /// An error for a value of another kind than `wanted`.
    pub fn wrong(&self, entry: &TomlEntry, wanted: &str) -> Error {
        self.complain(entry.line, &format!("{:?} takes {wanted}", entry.key))
    }
}

fn complaint(path: &Path, line: usize, message: &str) -> Error {
    Error::format(path, format!("line {line}: {message}"))
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn entries(text: &str, table: &DeTable<'_>) -> Vec<TomlEntry> {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| TomlEntry {
        key: key.get_ref().to_string(),
        line: line_at(text, key.span().start),
        value: read_value(text, value.get_ref()),
    };
    let mut entries: Vec<TomlEntry> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn read_value(text: &str, value: &DeValue<'_>) -> TomlValue {
    match value {
        DeValue::String(content) => TomlValue::Text(content.to_string()),
        DeValue::Boolean(flag) => TomlValue::Flag(*flag),
        DeValue::Integer(number) => TomlValue::Number(number.as_str().to_string()),
        DeValue::Float(number) => TomlValue::Number(number.as_str().to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(String::from)).collect();
            texts.map_or(TomlValue::Other, TomlValue::Texts)
        }
        DeValue::Table(table) => TomlValue::Table(entries(text, table)),
        DeValue::Datetime(_) => TomlValue::Other,
    }
}

/// The known name that takes the fewest changes of characters, if they are few.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|other| (distance(name, other), *other)).min()?;
    (near.0 <= 2 + name.chars().count() / 4).then_some(near.1)
}

/// Characters that are added, removed or changed on the way from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.chars().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_lines_and_errors_name_them() {
        let path = Path::new("x.toml");
        let file = TomlFile::parse(path, "# note\na = \"b\"\n\n[hub]\noffline = true\nnames = ['c', 'd']\n");
        let file = file.expect("TOML");
        assert_eq!((file.entries[0].key.as_str(), file.entries[0].line), ("a", 2));
        let TomlValue::Table(hub) = &file.entries[1].value else { panic!("a table") };
        assert_eq!((hub[0].line, &hub[0].value), (5, &TomlValue::Flag(true)));
        assert_eq!(hub[1].value, TomlValue::Texts(vec!["c".into(), "d".into()]));
        let error = file.unknown(&hub[0], &["offlin", "cache_dir"]).to_string();
        assert_eq!(error, "x.toml: line 5: unknown key \"offline\"; did you mean \"offlin\"?");
        let broken = TomlFile::parse(path, "a = 1\nb =\n").expect_err("no TOML").to_string();
        assert!(broken.starts_with("x.toml: line 2: "), "{broken}");
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        for text in ["a", "quote \" and \\ back", "two\nlines", "tab\t", "<|im_start|>", ""] {
            let written = format!("k = {}", TomlValue::Text(text.into()).written());
            let file = TomlFile::parse(Path::new("x"), &written).expect("TOML");
            assert_eq!(file.entries[0].value, TomlValue::Text(text.into()), "{written}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("tokeniser", &["tokenizer", "template"]), Some("tokenizer"));
        assert_eq!(nearest("nonsense", &["tokenizer", "data"]), None);
    }
}
