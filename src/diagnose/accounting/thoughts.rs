//! Reasoning in a message: its field, and the thought that stands in the content.

use serde_json::Value;

/// Names of a message's reasoning.
pub const KEYS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Tags that templates part a thought from an answer at.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
];

/// The reasoning of a message with its key: the first of [`KEYS`], as transformers takes it for the others.
pub fn field(message: &Value) -> Option<(&'static str, &str)> {
    KEYS.iter().find_map(|key| Some((*key, message.get(*key)?.as_str()?)))
}

/// The thought at the head of a text, and what is said behind it, either of which may be empty; `None` for a text without the
/// tags.
pub fn parted(text: &str) -> Option<(&str, &str)> {
    TAGS.iter().find_map(|(open, close)| {
        let (head, rest) = text.split_once(close)?;
        let thought = head.trim_start().strip_prefix(open)?;
        Some((thought, rest))
    })
}
