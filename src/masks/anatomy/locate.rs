//! The block and the content of every message, in bytes of the rendered text: a rendering of each prefix shows them.

use std::ops::Range;

use super::content::{content_text, find_content};
use super::divergence::divergence;
use super::history::end_in;
use super::message::PrefixState;
use super::positions::Tokens;
use super::prompt::prompt_of;
use crate::chat::Conversation;
use crate::chat::jinja::is_space;
use crate::masks::{Call, Chat, affordable, role};

/// Above this many messages, nobody waits for a rendering of each prefix.
const MAX_RENDERED: usize = 200;

/// A message in a text, in bytes.
pub(in crate::masks) struct Located {
    pub block: Range<usize>,
    pub content: Option<Range<usize>>,
    pub(super) prefix: PrefixState,
}

/// Bytes of every message's block and of its own text in it, for a text that the template made of the sample. Costs
/// a rendering a message; `None` where that would be too many.
pub(in crate::masks) fn spans(chat: &Chat, sample: &Conversation, text: &str) -> Option<Vec<Located>> {
    if sample.messages.len() > MAX_RENDERED || affordable(sample.messages.len(), text.len()).is_err() {
        return None;
    }
    let call = Call::whole(sample);
    let tokens = Tokens::of(text, || chat.encode(text).unwrap_or_default());
    let mut located = locate(chat, call, text, &tokens);
    for (index, message) in located.iter_mut().enumerate() {
        // An answer of nothing but calls or thoughts: all behind its header.
        let is_answer = call.messages.get(index).is_some_and(|m| role(m) == "assistant");
        if message.content.is_none() && is_answer && !message.block.is_empty() {
            let prompt = prompt_of(chat, call, index, text, message.block.start, &tokens);
            let start = prompt.map_or(message.block.start, |prompt| tokens.byte(prompt.end));
            let end = text.get(..message.block.end).unwrap_or_default().trim_end_matches(is_space).len();
            message.content = (start < end).then_some(start..end);
        }
    }
    Some(located)
}

/// Block after block: where the rendering up to a message ends, the next one begins.
pub(super) fn locate<'t>(chat: &Chat, call: Call, whole: &'t str, tokens: &Tokens<'t>) -> Vec<Located> {
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
        let content = find_content(value, whole.get(start..end).unwrap_or_default())
            .map(|found| start + found.start..start + found.end);
        located.push(Located { block: start..end, content, prefix });
        start = end;
    }
    located
}
