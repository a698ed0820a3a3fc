//! Where each message of a conversation stands in the text of an inspection. Shown and judged by; no strategy uses it.
//!
//! In a text that the chat template made, the template engine recorded the turns (`anatomy::locate_messages`). In a
//! text of a strategy's own making the messages' contents are looked for one behind the other.

use std::ops::Range;

use serde_json::Value;

use super::anatomy::{LocatedMessage, locate_messages};
use super::{Chat, EncodedText, role};
use crate::chat::{Conversation, PromptLayout, Speaker, TurnLayout};

/// The turns in a text that the template of `chat` made of the sample.
pub(super) fn of_template(chat: Option<Chat>, sample: &Conversation, text: &EncodedText) -> PromptLayout {
    let Some(located) = chat.and_then(|chat| locate_messages(&chat, sample, text)) else {
        return by_content(sample, &text.text);
    };
    let turn = |(index, (value, located)): (usize, (&Value, LocatedMessage))| {
        let (whole, content) = (located.block, located.content);
        turn(index, value, whole.clone(), content.unwrap_or(whole.end..whole.end))
    };
    let all = sample.messages.iter().zip(located).enumerate();
    // A message that the template merges into the next one, or leaves out, has no place.
    PromptLayout { turns: all.filter(|(_, (_, located))| !located.block.is_empty()).map(turn).collect() }
}

fn turn(index: usize, message: &Value, whole: Range<usize>, content: Range<usize>) -> TurnLayout {
    TurnLayout {
        index,
        speaker: Speaker::of_role(role(message)),
        header: whole.start..content.start.max(whole.start),
        separator: content.end.min(whole.end)..whole.end,
        whole,
        content,
    }
}

/// The turns in a text of a strategy's own making, as far as they can be found; each ends where its content does.
pub(super) fn by_content(sample: &Conversation, text: &str) -> PromptLayout {
    let mut turns: Vec<TurnLayout> = Vec::new();
    for (index, value) in sample.messages.iter().enumerate() {
        let start = turns.last().map_or(0, |turn| turn.whole.end);
        let content = match text_of(value) {
            None => None,
            Some(content) => match text.get(start..).and_then(|rest| rest.find(content.trim())) {
                Some(at) => Some(start + at..start + at + content.trim().len()),
                // What follows cannot be told apart either.
                None => break,
            },
        };
        let last = index + 1 == sample.messages.len();
        let end = if last { text.len() } else { content.as_ref().map_or(start, |content| content.end) };
        turns.push(turn(index, value, start..end, content.unwrap_or(end..end)));
    }
    PromptLayout { turns }
}

/// The text of a message; of a list of parts the longest, as a strategy may put others between them.
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
