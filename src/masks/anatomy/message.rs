//! One message of the rendered text: its block, its content, and how the renderings before it relate to the whole.

use std::ops::Range;

use serde_json::Value;

use super::divergence::Divergence;
use super::locate::{Located, locate};
use super::positions::Tokens;
use super::prompt::{Prompt, first_prompt, prompt_of};
use crate::masks::encoder::Encoded;
use crate::masks::{Call, Chat, role};

/// One message in the rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: String,
    /// Everything that it added; empty where the template merges it into the next one or leaves it out.
    pub block: Range<usize>,
    /// Its content as far as it is found in the block, with the thought of the data before it.
    pub content: Option<Range<usize>>,
    /// `R(messages up to this one)` is no prefix of the whole, or raises.
    pub prefix: PrefixState,
    /// For answers with a message before them.
    pub prompt: Option<Prompt>,
}

/// How the rendering up to a message relates to the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixState {
    Whole,
    Parts(Divergence),
    /// The template raises on it.
    Raises(String),
}

impl PrefixState {
    /// Where it parts, if it does.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            Self::Parts(divergence) => Some(divergence),
            _ => None,
        }
    }
}

impl Message {
    /// True for an answer of the model.
    pub fn is_answer(&self) -> bool {
        self.role == "assistant"
    }
}

/// The messages of a text that the template made of the whole conversation.
pub(super) fn messages(chat: &Chat, call: Call, whole: &str, encoded: &Encoded) -> Vec<Message> {
    let tokens = Tokens::of(whole, || encoded.clone());
    let chars = |bytes: &Range<usize>| tokens.chars.at(bytes.start)..tokens.chars.at(bytes.end);
    let located = locate(chat, call, whole, &tokens);
    let message = |(index, (value, located)): (usize, (&Value, Located))| {
        let name = role(value);
        let prompt = (name == "assistant" && index > 0)
            .then(|| prompt_of(chat, call, index, whole, located.block.start, &tokens));
        Message {
            role: name.to_string(),
            block: chars(&located.block),
            content: located.content.as_ref().map(chars),
            prefix: located.prefix,
            prompt: prompt.flatten(),
        }
    };
    let mut messages: Vec<Message> = call.messages.iter().zip(located).enumerate().map(message).collect();
    let header = messages.iter().find_map(|m| Some(m.prompt.as_ref()?.header.clone()));
    if let (Some(header), Some(first)) = (header, messages.first_mut()) {
        first.prompt = first_prompt(whole, &header, first, &tokens);
    }
    messages
}
