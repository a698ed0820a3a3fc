//! The text of a message, and where its block has it.

use std::ops::Range;

use serde_json::Value;

use crate::chat::jinja::is_space;
use crate::chat::reasoning;

/// Tags that templates cut an answer's thought at.
const THOUGHT_END: &str = "</think>";

/// Bytes of a message's text in its block: as it is, without white space around it, or without its thought.
pub(super) fn find_content(message: &Value, block: &str) -> Option<Range<usize>> {
    let text = content_text(message)?;
    let trimmed = text.trim_matches(is_space);
    let said = text.rsplit(THOUGHT_END).next().unwrap_or_default().trim_matches(is_space);
    [text.as_str(), trimmed, said].into_iter().filter(|text| !text.is_empty()).find_map(|text| {
        // What is written last is the content: role names and tools stand before it.
        let at = block.rfind(text)?;
        Some(with_thought(message, block, at)..at + text.len())
    })
}

/// The byte at which a message's thought begins, its opening tag included, where the block has it before the content.
fn with_thought(message: &Value, block: &str, content: usize) -> usize {
    let head = block.get(..content).unwrap_or_default();
    let thought = reasoning(message).map(|(_, text)| text);
    let Some(at) =
        thought.map(|text| text.trim_matches(is_space)).filter(|t| !t.is_empty()).and_then(|t| head.rfind(t))
    else {
        return content;
    };
    let before = head.get(..at).unwrap_or_default().trim_end_matches(is_space);
    let tag = before.ends_with('>').then(|| before.rfind('<')).flatten();
    tag.unwrap_or(at)
}

/// The text of a message, parts put together.
pub(super) fn content_text(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()),
        _ => None,
    }
}
