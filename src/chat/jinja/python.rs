//! How Python would print a value: `str()` and `repr()` of the JSON-like values that templates see.

use std::fmt::Write;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::limits::{BoundedText, TooLarge};

/// `str(value)`; an undefined value prints as nothing.
pub fn str(value: &Value) -> Result<String, TooLarge> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_string());
    }
    if value.is_undefined() {
        return Ok(String::new());
    }
    repr(value)
}

/// `repr(value)`.
pub fn repr(value: &Value) -> Result<String, TooLarge> {
    let mut out = BoundedText::new();
    write_repr(&mut out, value, 0)?;
    Ok(out.into_string())
}

fn write_repr(out: &mut BoundedText, value: &Value, depth: usize) -> Result<(), TooLarge> {
    if depth > super::limits::MAX_DEPTH {
        return Err(TooLarge);
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => write_string_repr(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable if is_list(value) => write_list(out, value, depth),
        ValueKind::Map => {
            out.push_str("{")?;
            for (index, key) in value.try_iter().into_iter().flatten().enumerate() {
                if index > 0 {
                    out.push_str(", ")?;
                }
                write_repr(out, &key, depth + 1)?;
                out.push_str(": ")?;
                write_repr(out, &value.get_item(&key).unwrap_or_default(), depth + 1)?;
            }
            out.push_str("}")
        }
        _ => out.push_str(&value.to_string()),
    }
}

fn write_list(out: &mut BoundedText, value: &Value, depth: usize) -> Result<(), TooLarge> {
    let tuple = value.is_tuple();
    out.push_str(if tuple { "(" } else { "[" })?;
    let mut count = 0;
    for item in value.try_iter().into_iter().flatten() {
        if count > 0 {
            out.push_str(", ")?;
        }
        write_repr(out, &item, depth + 1)?;
        count += 1;
    }
    out.push_str(match (tuple, count) {
        (true, 1) => ",)",
        (true, _) => ")",
        (false, _) => "]",
    })
}

/// A number as Python prints it: integers in full, floats by their shortest digits.
pub fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(float) if !value.is_integer() => float_repr(float),
        _ => value.to_string(),
    }
}

/// `repr(float)`: shortest digits that read back the same, exponent form below 1e-4 and from 1e16 on.
pub fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn write_string_repr(out: &mut BoundedText, text: &str) -> Result<(), TooLarge> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote)?;
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\\' => out.push_str("\\\\")?,
            c if c == quote => {
                out.push('\\')?;
                out.push(c)?;
            }
            c if is_printable(c) => out.push(c)?,
            c => {
                let code = c as u32;
                let mut escape = String::new();
                // Writing to a String cannot fail.
                let _ = match code {
                    0..=0xff => write!(escape, "\\x{code:02x}"),
                    0x100..=0xffff => write!(escape, "\\u{code:04x}"),
                    _ => write!(escape, "\\U{code:08x}"),
                };
                out.push_str(&escape)?;
            }
        }
    }
    out.push(quote)
}

/// `repr()` of a string.
pub fn string_repr(text: &str) -> Result<String, TooLarge> {
    let mut out = BoundedText::new();
    write_string_repr(&mut out, text)?;
    Ok(out.into_string())
}

/// `str.isprintable` of one character, as far as Rust's own tables know: they lack the unassigned
/// code points, so a few of those print raw where Python escapes them.
fn is_printable(c: char) -> bool {
    if c == ' ' {
        return true;
    }
    let code = c as u32;
    let format = matches!(code,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0x110bd | 0x110cd
        | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe007f);
    let private = matches!(code, 0xe000..=0xf8ff | 0xf0000..=0x10ffff);
    !(c.is_control() || c.is_whitespace() || format || private || code & 0xfffe == 0xfffe)
}

/// Python's `str.isspace` of one character: Unicode white space and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// True for what is a list or tuple in Python. Slices are lazy in the engine, but they know their length;
/// a generator does not.
pub fn is_list(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Seq => true,
        ValueKind::Iterable => value.len().is_some(),
        _ => false,
    }
}

/// The name of the value's Python type, as messages show it.
pub fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq => "list",
        ValueKind::Map => "dict",
        ValueKind::Iterable if is_list(value) => "list",
        ValueKind::Iterable => "generator",
        _ => "object",
    }
}

/// jinja2's sentence for `value.name` that is not there.
pub(super) fn no_attribute(value: &Value, name: &str) -> String {
    format!("'{}' has no attribute '{name}'", object_name(value))
}

/// A value's type as jinja2's messages name it.
pub(super) fn object_name(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".to_string(),
        _ => format!("{} object", type_name(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_python() {
        for (float, expected) in [
            (1e-7, "1e-07"),
            (0.5, "0.5"),
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float_repr(float), expected);
        }
    }

    #[test]
    fn containers_print_as_in_python() {
        let value = super::super::input::template_value(
            &serde_json::json!({"a": [true, null, "it's"], "b\n": "\u{200b}é"}),
        );
        assert_eq!(repr(&value).unwrap(), r#"{'a': [True, None, "it's"], 'b\n': '\u200bé'}"#);
    }
}
