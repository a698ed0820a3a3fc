//! The bits of Python that results of the training code depend on: exceptions, `repr`, slices, white space.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

/// An exception that the emulated Python code would raise: its type and its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct PythonError {
    pub kind: Cow<'static, str>,
    pub message: String,
}

impl PythonError {
    /// An exception of type `kind`.
    pub fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into() }
    }
}

impl From<crate::Error> for PythonError {
    /// The tokenizer library's own failures reach Python as a bare `Exception`.
    fn from(error: crate::Error) -> Self {
        PythonError::new("Exception", error.to_string())
    }
}

/// `str.isspace`, which counts the four information separators that Rust does not.
pub fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `type(value).__name__` of a JSON value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// `repr` of a Python string.
pub fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() && u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// The positions that `x[start:end]` covers in a sequence of length `len`.
pub fn python_slice(len: usize, start: i64, end: i64) -> Range<usize> {
    let clamp = |at: i64| {
        let from_end = usize::try_from(at.unsigned_abs()).map_or(0, |back| len.saturating_sub(back));
        if at < 0 { from_end } else { usize::try_from(at).map_or(len, |at| at.min(len)) }
    };
    let (start, end) = (clamp(start), clamp(end));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repr_is_pythons() {
        assert_eq!(python_repr("system"), "'system'");
        assert_eq!(python_repr("it's"), "\"it's\"");
        assert_eq!(python_repr("a'b\"c\n\u{1b}é"), r#"'a\'b"c\n\x1bé'"#);
    }

    #[test]
    fn slices_are_pythons() {
        assert_eq!(python_slice(5, 1, 3), 1..3);
        assert_eq!(python_slice(5, 0, -1), 0..4);
        assert_eq!(python_slice(5, 3, 1), 3..3);
        assert_eq!(python_slice(5, 4, 99), 4..5);
        assert_eq!(python_slice(5, -99, 2), 0..2);
    }
}
