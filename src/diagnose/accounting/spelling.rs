//! The other spellings that a template may give a text: JSON's escapes, Python's, HTML's.

use serde_json::Value;

use crate::chat::jinja::value_repr;

/// A text as it may stand in the prompt where it does not stand as it is.
pub fn spellings(text: &str) -> impl Iterator<Item = String> {
    let json = inner(&serde_json::to_string(text).unwrap_or_default());
    let ascii = (!json.is_ascii()).then(|| ascii_escaped(&json));
    let html = text.contains(['&', '<', '>', '"', '\'']).then(|| html_escaped(text));
    let python = value_repr(&Value::from(text)).map(|repr| inner(&repr));
    let trimmed = text.trim().to_string();
    [Some(json), ascii, python, html].into_iter().flatten().filter(move |spelling| *spelling != trimmed)
}

/// Without the quotes at both ends.
fn inner(quoted: &str) -> String {
    let mut chars = quoted.chars();
    chars.next();
    chars.next_back();
    chars.as_str().trim().to_string()
}

/// As `json.dumps` writes it by default.
fn ascii_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() {
            true => out.push(c),
            false => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")))
            }
        }
    }
    out
}

/// As markupsafe's `escape` does.
fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
        .trim()
        .to_string()
}

/// Characters of a value as a record has it.
pub fn chars_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        other => other.to_string().chars().count(),
    }
}
