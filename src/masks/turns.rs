//! Where each message of a conversation stands in the text of an inspection. For the eye only: no strategy uses it.
//!
//! A text that the chat template made is taken apart by [`super::anatomy`]. For a text of a strategy's own making the
//! messages' contents are looked for one behind the other.

use std::ops::Range;

use serde_json::Value;

use super::{Chat, anatomy, role};
use crate::chat::Conversation;

/// A message in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSpan {
    /// Index among the messages.
    pub message: usize,
    pub role: String,
    /// Bytes of the text, with all that the template puts around it.
    pub whole: Range<usize>,
    /// Bytes of the message's own text; empty at the end of `whole` where it has none.
    pub content: Range<usize>,
}

/// The turns in `text`, in order, as far as they can be found. `chat` is the template that made the text, if one did.
pub fn locate(chat: Option<&Chat>, sample: &Conversation, text: &str) -> Vec<TurnSpan> {
    let Some(located) = chat.and_then(|chat| anatomy::spans(chat, sample, text)) else {
        return by_content(sample, text);
    };
    let turn = |(message, (value, located)): (usize, (&Value, anatomy::Located))| TurnSpan {
        message,
        role: role(value).to_string(),
        content: located.content.unwrap_or(located.block.end..located.block.end),
        whole: located.block,
    };
    let all = sample.messages.iter().zip(located).enumerate();
    // A message that the template merges into the next one, or leaves out, has no place.
    all.filter(|(_, (_, located))| !located.block.is_empty()).map(turn).collect()
}

/// Each turn ends where its content does.
fn by_content(sample: &Conversation, text: &str) -> Vec<TurnSpan> {
    let mut found: Vec<TurnSpan> = Vec::new();
    for (message, value) in sample.messages.iter().enumerate() {
        let start = found.last().map_or(0, |turn| turn.whole.end);
        let content = match text_of(value) {
            None => None,
            Some(content) => match text.get(start..).and_then(|rest| rest.find(content.trim())) {
                Some(at) => Some(start + at..start + at + content.trim().len()),
                // What follows cannot be told apart either.
                None => break,
            },
        };
        let last = message + 1 == sample.messages.len();
        let end = if last { text.len() } else { content.as_ref().map_or(start, |content| content.end) };
        let content = content.unwrap_or(end..end);
        found.push(TurnSpan { message, role: role(value).to_string(), whole: start..end, content });
    }
    found
}

/// The text of a message.
fn text_of(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            let longest = texts.max_by_key(|text| text.len())?;
            (!longest.trim().is_empty()).then(|| longest.to_string())
        }
        _ => None,
    }
}
