//! The block and the content of every message, in bytes of the rendered text.
//!
//! The template engine recorded where each message's turn begins ([`EncodedText::turn_starts`]); what it recorded is
//! taken where every message's content lies in its own turn. Otherwise (the loop over the messages stands in a macro,
//! messages are merged, content is rewritten) the rendering of each prefix shows where a block ends.

use std::ops::Range;

use serde_json::Value;

use super::content::{content_text, find_content};
use super::divergence::{PrefixState, divergence};
use super::history::end_in;
use super::positions::Tokens;
use super::prompt::prompt_of;
use crate::chat::Conversation;
use crate::chat::jinja::is_space;
use crate::masks::{Call, Chat, EncodedText, affordable, role};

/// Above this many messages, a rendering of each prefix takes too long.
const MAX_PREFIXES: usize = 200;

/// A message in a text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::masks) struct LocatedMessage {
    /// Everything that the message added; empty where the template merges it into the next one or leaves it out.
    pub block: Range<usize>,
    /// Its own text in the block.
    pub content: Option<Range<usize>>,
}

/// Every message of a text that the template made of the sample; `None` where too many renderings would be needed.
pub(in crate::masks) fn locate_messages(
    chat: &Chat,
    sample: &Conversation,
    text: &EncodedText,
) -> Option<Vec<LocatedMessage>> {
    let call = Call::whole(sample);
    let tokens = Tokens::of(text);
    let count = sample.messages.len();
    let mut located = match recorded(call.messages, text) {
        Some(located) => located,
        None if count > MAX_PREFIXES || affordable(count, text.text.len()).is_err() => return None,
        None => blocks(chat, call, text, &tokens).into_iter().map(|(located, _)| located).collect(),
    };
    for (index, message) in located.iter_mut().enumerate() {
        // An answer of nothing but calls or thoughts: all behind its header.
        let is_answer = call.messages.get(index).is_some_and(|m| role(m) == "assistant");
        if message.content.is_none() && is_answer && !message.block.is_empty() {
            let prompt = prompt_of(chat, call, index, &text.text, message.block.start, &tokens);
            let start = prompt.map_or(message.block.start, |prompt| tokens.byte(prompt.end));
            let block = text.text.get(..message.block.end).unwrap_or_default();
            let end = block.trim_end_matches(is_space).len();
            message.content = (start < end).then_some(start..end);
        }
    }
    Some(located)
}

/// Every message of a text, and how the rendering up to each relates to the whole. Costs a rendering a message.
pub(super) fn blocks(
    chat: &Chat,
    call: Call,
    text: &EncodedText,
    tokens: &Tokens,
) -> Vec<(LocatedMessage, PrefixState)> {
    let whole = text.text.as_str();
    let recorded = recorded(call.messages, text);
    let last = call.messages.len().saturating_sub(1);
    let mut start = 0;
    let mut located = Vec::with_capacity(call.messages.len());
    for (index, value) in call.messages.iter().enumerate() {
        let (end, prefix) = match index == last {
            true => (whole.len(), PrefixState::Whole),
            false => match chat.text(call.prefix(index + 1, false)) {
                Ok(text) if whole.starts_with(&text) => (text.len().max(start), PrefixState::Whole),
                Ok(text) => {
                    let own = content_text(value).unwrap_or_default();
                    let end = end_in(whole, &text, start, own.trim_matches(is_space)).unwrap_or(start);
                    let end = tokens.start_of(end).max(start);
                    let state =
                        divergence(whole, &text, tokens).map_or(PrefixState::Whole, PrefixState::Parts);
                    (end, state)
                }
                Err(error) => (start, PrefixState::Raises(error.to_string())),
            },
        };
        let by_prefix = || located_in(value, whole, start..end);
        let found = recorded.as_ref().and_then(|recorded| recorded.get(index).cloned()).or_else(by_prefix);
        let found = found.unwrap_or(LocatedMessage { block: start..start, content: None });
        start = found.block.end;
        located.push((found, prefix));
    }
    located
}

/// The blocks as the template engine recorded them; `None` where the text does not bear them out.
fn recorded(messages: &[Value], text: &EncodedText) -> Option<Vec<LocatedMessage>> {
    if text.turn_starts.len() != messages.len() {
        return None;
    }
    // The first block also holds what stands in front of the conversation.
    let mut start = 0;
    let mut located = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let end = match text.turn_starts.get(index + 1) {
            Some(next) => (*next)?,
            None => text.text.len(),
        };
        let found = located_in(message, &text.text, start..end)?;
        let says_something =
            content_text(message).is_some_and(|said| !said.trim_matches(is_space).is_empty());
        if says_something && found.content.is_none() {
            return None;
        }
        located.push(found);
        start = end;
    }
    Some(located)
}

/// A message whose block is known; `None` where that is no range of the text.
fn located_in(message: &Value, text: &str, block: Range<usize>) -> Option<LocatedMessage> {
    let found = find_content(message, text.get(block.clone())?);
    let content = found.map(|found| block.start + found.start..block.start + found.end);
    Some(LocatedMessage { block, content })
}
