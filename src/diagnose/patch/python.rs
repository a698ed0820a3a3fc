//! Python literals for values that come from outside.

use unicode_width::UnicodeWidthChar;

use crate::text;
use crate::tokenizer::Role;

/// A string literal: quotes, backslashes and all that cannot be seen is escaped; letters and signs of any script stay readable.
pub fn python_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            ' '..='~' => literal.push(c),
            c if is_visible(c) => literal.push(c),
            c if u32::from(c) <= 0xFFFF => literal += &format!("\\u{:04x}", u32::from(c)),
            c => literal += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    literal.push('"');
    literal
}

/// True for a character that stands for itself on a screen: no control, no mark of direction, nothing without width.
fn is_visible(c: char) -> bool {
    let shown = c.to_string();
    !c.is_whitespace() && c.width().is_some_and(|width| width > 0) && text::plain(&shown) == shown
}

/// The call that gives a role a token and adds it to the vocabulary where it is new.
pub fn python_added(role: Role, text: &str) -> String {
    let (attribute, token) = (python_string(role.attribute()), python_string(text));
    format!("tokenizer.add_special_tokens({{{attribute}: {token}}})")
}

/// An `AddedToken` that leaves the whitespace beside it alone. `transformers` is imported by the training script.
pub fn python_object(text: &str) -> String {
    format!("transformers.AddedToken({}, lstrip=False, rstrip=False, normalized=False)", python_string(text))
}

/// A list of numbers.
pub fn python_list(numbers: &[i64]) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hold_no_control_character() {
        assert_eq!(python_string("a\"\\\n\u{1b}é｜\u{202e}"), "\"a\\\"\\\\\\n\\u001bé｜\\u202e\"");
        assert_eq!(python_list(&[1, -100]), "[1, -100]");
    }
}
