//! Python literals for values that come from outside.

use crate::tokenizer::Role;

/// A string literal in ASCII: quotes, backslashes and all that is not printable ASCII is escaped.
pub fn python_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            ' '..='~' => literal.push(c),
            c if u32::from(c) <= 0xFFFF => literal += &format!("\\u{:04x}", u32::from(c)),
            c => literal += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    literal.push('"');
    literal
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
        assert_eq!(python_string("a\"\\\n\u{1b}é🚌"), "\"a\\\"\\\\\\n\\u001b\\u00e9\\U0001f68c\"");
        assert_eq!(python_list(&[1, -100]), "[1, -100]");
    }
}
