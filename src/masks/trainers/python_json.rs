//! Python's `json.dumps`, `str` and `type` of values that came from JSON.

use std::fmt::Write;

pub use crate::python::type_name;
use serde_json::{Number, Value};

/// How `json.dumps` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonJsonStyle {
    pub ensure_ascii: bool,
    /// Spaces a level; `None` writes one line.
    pub indent: Option<usize>,
    /// `separators=(",", ":")`.
    pub compact: bool,
}

impl PythonJsonStyle {
    /// `json.dumps(value)`.
    #[cfg(test)]
    pub const DEFAULT: Self = Self { ensure_ascii: true, indent: None, compact: false };
    /// `json.dumps(value, ensure_ascii=False)`.
    pub const UNICODE: Self = Self { ensure_ascii: false, indent: None, compact: false };
    /// `json.dumps(value, ensure_ascii=False, indent=4)`.
    pub const UNICODE_INDENT_4: Self = Self { ensure_ascii: false, indent: Some(4), compact: false };
}

/// `json.dumps(value, …)`.
pub fn dumps(value: &Value, style: PythonJsonStyle) -> String {
    let mut out = String::new();
    write_value(&mut out, value, style, 0);
    out
}

fn write_value(out: &mut String, value: &Value, style: PythonJsonStyle, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_repr(number)),
        Value::String(text) => write_string(out, text, style.ensure_ascii),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index, style, depth + 1);
                write_value(out, item, style, depth + 1);
            }
            line(out, style, depth);
            out.push(']');
        }
        Value::Object(fields) if fields.is_empty() => out.push_str("{}"),
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                separate(out, index, style, depth + 1);
                write_string(out, key, style.ensure_ascii);
                out.push_str(if style.compact { ":" } else { ": " });
                write_value(out, item, style, depth + 1);
            }
            line(out, style, depth);
            out.push('}');
        }
    }
}

fn separate(out: &mut String, index: usize, style: PythonJsonStyle, depth: usize) {
    if index > 0 {
        out.push_str(if style.compact || style.indent.is_some() { "," } else { ", " });
    }
    line(out, style, depth);
}

fn line(out: &mut String, style: PythonJsonStyle, depth: usize) {
    if let Some(indent) = style.indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent * depth));
    }
}

fn write_string(out: &mut String, text: &str, ensure_ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || (ensure_ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `repr` of a number.
pub fn number_repr(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => float_repr(float),
        None => number.to_string(),
    }
}

/// `repr` of a float: shortest digits, an exponent below 1e-4 and from 1e16 on.
pub fn float_repr(float: f64) -> String {
    let magnitude = float.abs();
    if float == 0.0 || (1e-4..1e16).contains(&magnitude) {
        return if float == float.trunc() { format!("{float:.1}") } else { format!("{float}") };
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// `str(value)`; `repr` within lists and dicts.
pub fn str_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => repr(value),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number_repr(number),
        Value::String(text) => crate::python::python_repr(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                format!("{}: {}", crate::python::python_repr(key), repr(value))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Python's `bool(value)`.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_python_s() {
        let value = json!({"a": [1, 0.5, 1e-7, 2.0, 1e16], "é": "\u{1f34e}\n", "e": {}, "n": null});
        assert_eq!(
            dumps(&value, PythonJsonStyle::DEFAULT),
            r#"{"a": [1, 0.5, 1e-07, 2.0, 1e+16], "\u00e9": "\ud83c\udf4e\n", "e": {}, "n": null}"#
        );
        assert_eq!(
            dumps(&json!([1, {"k": "é"}]), PythonJsonStyle::UNICODE_INDENT_4),
            "[\n    1,\n    {\n        \"k\": \"é\"\n    }\n]"
        );
        assert_eq!(repr(&json!({"a": [true, null, "it's"]})), r#"{'a': [True, None, "it's"]}"#);
    }
}
