//! tmp
/// A Python string literal.
pub fn python_string(text: &str) -> String { format!("{text:?}") }
