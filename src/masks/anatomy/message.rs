//! One message of the rendered text: its block, its content, and how the renderings before it relate to the whole.

use std::ops::Range;

use serde_json::Value;

use super::blocks::{LocatedMessage, blocks};
use super::divergence::PrefixState;
use super::positions::Tokens;
use super::prompt::{PromptAnatomy, first_prompt, prompt_of};
use crate::masks::{Call, Chat, EncodedText, role};

/// One message in the rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAnatomy {
    pub role: String,
    /// Everything that it added; empty where the template merges it into the next one or leaves it out.
    pub block: Range<usize>,
    /// Its content as far as it is found in the block, with the thought of the data before it.
    pub content: Option<Range<usize>>,
    /// `R(messages up to this one)` is no prefix of the whole, or raises.
    pub prefix: PrefixState,
    /// For answers with a message before them.
    pub prompt: Option<PromptAnatomy>,
}

impl MessageAnatomy {
    /// True for an answer of the model.
    pub fn is_answer(&self) -> bool {
        self.role == "assistant"
    }

    /// The character at which generation begins, where the generation prompt is known; else where the text does.
    pub fn body_start(&self) -> usize {
        match (&self.prompt, &self.content) {
            (Some(prompt), _) => prompt.end,
            (None, Some(content)) => content.start,
            (None, None) => self.block.start,
        }
    }
}

/// The messages of a text that the template made of the whole conversation.
pub(super) fn messages(chat: &Chat, call: Call, text: &EncodedText) -> Vec<MessageAnatomy> {
    let tokens = Tokens::of(text);
    let chars = |bytes: &Range<usize>| tokens.chars.at(bytes.start)..tokens.chars.at(bytes.end);
    let message = |(index, (value, (located, prefix))): (usize, (&Value, (LocatedMessage, PrefixState)))| {
        let name = role(value);
        let prompt = (name == "assistant" && index > 0)
            .then(|| prompt_of(chat, call, index, &text.text, located.block.start, &tokens));
        MessageAnatomy {
            role: name.to_string(),
            block: chars(&located.block),
            content: located.content.as_ref().map(chars),
            prefix,
            prompt: prompt.flatten(),
        }
    };
    let all = call.messages.iter().zip(blocks(chat, call, text, &tokens)).enumerate();
    let mut messages: Vec<MessageAnatomy> = all.map(message).collect();
    let header = messages.iter().find_map(|m| Some(m.prompt.as_ref()?.header.clone()));
    if let (Some(header), Some(first)) = (header, messages.first_mut().filter(|first| first.is_answer())) {
        first.prompt = first_prompt(&text.text, &header, first.block.end, &tokens);
    }
    messages
}
