//! The thought that stands in the content of a message.

/// Tags that templates part a thought from an answer at.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
];

/// The thought at the head of a text, and what is said behind it, either of which may be empty; `None` for a text without the
/// tags.
pub fn parted(text: &str) -> Option<(&str, &str)> {
    TAGS.iter().find_map(|(open, close)| {
        let (head, rest) = text.split_once(close)?;
        let thought = head.trim_start().strip_prefix(open)?;
        Some((thought, rest))
    })
}
