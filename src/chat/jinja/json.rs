//! The `tojson` filter as transformers replaces it: Python's `json.dumps` without HTML escaping.

use std::fmt::Write;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, Value};

use super::error::raise;
use super::limits::{BoundedText, MAX_DEPTH, TooLarge};
use super::python;

/// The keyword arguments of `json.dumps` that templates can give.
#[derive(Debug, Clone)]
pub struct JsonStyle {
    pub ensure_ascii: bool,
    /// One level of indentation; `None` writes everything on one line.
    pub indent: Option<String>,
    pub item_separator: String,
    pub key_separator: String,
    pub sort_keys: bool,
}

impl Default for JsonStyle {
    fn default() -> Self {
        Self {
            ensure_ascii: false,
            indent: None,
            item_separator: ", ".into(),
            key_separator: ": ".into(),
            sort_keys: false,
        }
    }
}

/// `value | tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)`.
pub fn tojson(value: &Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let style = style(&positional, &kwargs)?;
    let mut writer = Writer { out: BoundedText::new(), style };
    writer.value(value, 0)?;
    Ok(writer.out.into_string())
}

/// jinja2's own filter: `json.dumps(value, sort_keys=True)` with what HTML gives a meaning escaped.
pub fn html_safe(value: &Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let indent = match positional.first() {
        Some(indent) => Some(indent.clone()),
        None => kwargs.get::<Option<Value>>("indent")?,
    };
    kwargs.assert_all_used()?;
    let mut style = JsonStyle { ensure_ascii: true, sort_keys: true, ..JsonStyle::default() };
    if let Some(indent) = indent.filter(|indent| !indent.is_none()) {
        style.indent = Some(" ".repeat(indent.as_i64().unwrap_or(0).clamp(0, 1000) as usize));
        style.item_separator = ",".into();
    }
    let mut writer = Writer { out: BoundedText::new(), style };
    writer.value(value, 0)?;
    let text = writer.out.into_string();
    Ok(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"))
}

fn style(positional: &[Value], kwargs: &Kwargs) -> Result<JsonStyle, Error> {
    let argument = |index: usize, name: &str| -> Result<Option<Value>, Error> {
        let value = match positional.get(index) {
            Some(value) => Some(value.clone()),
            None => kwargs.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|v| !v.is_none()))
    };
    let mut style = JsonStyle::default();
    if let Some(value) = argument(0, "ensure_ascii")? {
        style.ensure_ascii = value.is_true();
    }
    if let Some(value) = argument(1, "indent")? {
        style.indent = Some(match value.as_str() {
            Some(text) => text.to_string(),
            None => " ".repeat(value.as_i64().unwrap_or(0).clamp(0, 1000) as usize),
        });
        style.item_separator = ",".into();
    }
    if let Some(value) = argument(2, "separators")? {
        let parts: Vec<Value> = value.try_iter()?.collect();
        let [item, key] = parts.as_slice() else {
            return Err(raise("ValueError", "separators must be a pair"));
        };
        style.item_separator = python::str(item)?;
        style.key_separator = python::str(key)?;
    }
    if let Some(value) = argument(3, "sort_keys")? {
        style.sort_keys = value.is_true();
    }
    kwargs.assert_all_used()?;
    Ok(style)
}

struct Writer {
    out: BoundedText,
    style: JsonStyle,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(TooLarge.into());
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null")?,
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" })?,
            ValueKind::Number => self.out.push_str(&json_number(value))?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            _ if python::is_list(value) => self.list(value, depth)?,
            ValueKind::Map => self.object(value, depth)?,
            _ => {
                let message = format!("Object of type {} is not JSON serializable", python::type_name(value));
                return Err(raise("TypeError", message));
            }
        }
        Ok(())
    }

    fn list(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push_str("[")?;
        let mut empty = true;
        for item in value.try_iter()? {
            self.separate(empty, depth + 1)?;
            empty = false;
            self.value(&item, depth + 1)?;
        }
        self.close(empty, depth, "]")
    }

    fn object(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.style.sort_keys {
            keys.sort();
        }
        self.out.push_str("{")?;
        for (index, key) in keys.iter().enumerate() {
            self.separate(index == 0, depth + 1)?;
            self.key(key)?;
            let separator = self.style.key_separator.clone();
            self.out.push_str(&separator)?;
            self.value(&value.get_item(key)?, depth + 1)?;
        }
        self.close(keys.is_empty(), depth, "}")
    }

    fn key(&mut self, key: &Value) -> Result<(), Error> {
        let text = match key.kind() {
            ValueKind::String => key.as_str().unwrap_or_default().to_string(),
            ValueKind::None => "null".into(),
            ValueKind::Bool => if key.is_true() { "true" } else { "false" }.into(),
            ValueKind::Number => json_number(key),
            _ => {
                let kind = python::type_name(key);
                let message = format!("keys must be str, int, float, bool or None, not {kind}");
                return Err(raise("TypeError", message));
            }
        };
        self.string(&text)
    }

    fn separate(&mut self, first: bool, depth: usize) -> Result<(), Error> {
        if !first {
            let separator = self.style.item_separator.clone();
            self.out.push_str(&separator)?;
        }
        self.new_line(depth)
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: &str) -> Result<(), Error> {
        if !empty {
            self.new_line(depth)?;
        }
        Ok(self.out.push_str(bracket)?)
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Error> {
        if let Some(indent) = self.style.indent.clone() {
            self.out.push('\n')?;
            for _ in 0..depth {
                self.out.push_str(&indent)?;
            }
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        self.out.push('"')?;
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\"")?,
                '\\' => self.out.push_str("\\\\")?,
                '\n' => self.out.push_str("\\n")?,
                '\r' => self.out.push_str("\\r")?,
                '\t' => self.out.push_str("\\t")?,
                '\u{8}' => self.out.push_str("\\b")?,
                '\u{c}' => self.out.push_str("\\f")?,
                c if c < ' ' || (self.style.ensure_ascii && c > '~') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let mut escape = String::new();
                        // Writing to a String cannot fail.
                        let _ = write!(escape, "\\u{unit:04x}");
                        self.out.push_str(&escape)?;
                    }
                }
                c => self.out.push(c)?,
            }
        }
        Ok(self.out.push('"')?)
    }
}

fn json_number(value: &Value) -> String {
    match python::number(value).as_str() {
        "nan" => "NaN".into(),
        "inf" => "Infinity".into(),
        "-inf" => "-Infinity".into(),
        text => text.to_string(),
    }
}
