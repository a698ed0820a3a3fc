//! Special tokens that stand in the data as text: a tokenizer makes the tokens of them that end turns and conversations.

use std::ops::Range;

use serde_json::Value;

use super::{NAMES, ledger};
use crate::chat::{Conversation, MediaKind, PromptLayout, role};
use crate::labels::Labelled;
use crate::masks::{ControlTokens, Method};
use crate::setup::stop_tokens;
use crate::tokenizer::{Role, TokenId, Tokenizer};

/// A special token in a text of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlToken {
    /// `None` for tools of the record.
    pub message: Option<usize>,
    /// The key of the message that has it.
    pub key: String,
    pub token: String,
    pub id: TokenId,
    /// How often it stands there.
    pub count: usize,
    /// How many of them are the special token in the ids; the others are spelled as text.
    pub special: usize,
    /// The template, or generation, gives it a meaning.
    pub is_control: bool,
}

impl ControlToken {
    /// True where it ends or begins something in the middle of a text.
    pub fn is_harmful(&self) -> bool {
        self.is_control && self.special > 0
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let place = match self.message {
            Some(message) => format!("message {message}: {}", self.key),
            None => self.key.clone(),
        };
        let times = if self.count > 1 { format!(" {} times", self.count) } else { String::new() };
        let becomes = match self.special {
            0 => "stays a text in the ids".to_string(),
            n if n == self.count => format!("becomes the special token {}", self.id),
            n => format!("becomes the special token {} in {n} of them", self.id),
        };
        format!("{place} has {}{times}, which {becomes}", self.token)
    }
}

/// The special tokens in the texts of a conversation. Tokens of media belong into a text where the record has media.
pub fn control_tokens(
    (method, tokenizer): (&Method, &Tokenizer),
    conversation: &Conversation,
    has_media: bool,
    (prompt, labelled, layout): (&str, &Labelled, &PromptLayout),
) -> Vec<ControlToken> {
    let mut found = in_texts(method.controls(tokenizer), conversation, has_media);
    if found.is_empty() {
        return found;
    }
    let stops = stop_tokens(tokenizer);
    for token in &mut found {
        let turn = layout.turns.iter().find(|turn| Some(turn.index) == token.message);
        let region = turn.map_or(0..prompt.len(), |turn| turn.content.clone());
        // A message says no more than it says: without turns of its own, the template's tokens lie in the region too.
        token.special = special_in(labelled, prompt, &region, token).min(token.count);
        token.is_control = stops.ids.contains(&token.id) || has_meaning(method, tokenizer, token);
    }
    found
}

/// Every special token in a text of the conversation, those of one key of a message together.
fn in_texts(search: &ControlTokens, conversation: &Conversation, has_media: bool) -> Vec<ControlToken> {
    let mut found: Vec<ControlToken> = Vec::new();
    let mut look = |message: Option<usize>, key: &str, is_answer: bool, value: &Value| {
        ledger::leaves(value, &mut |leaf| {
            let Value::String(text) = leaf else { return };
            for (id, token) in search.in_text(text) {
                if (has_media && is_of_media(token)) || (is_answer && is_tag_of_answers(token)) {
                    continue;
                }
                let same = |known: &&mut ControlToken| {
                    known.message == message && known.key == key && known.id == id
                };
                match found.iter_mut().find(same) {
                    Some(known) => known.count += 1,
                    None => found.push(ControlToken {
                        message,
                        key: key.to_string(),
                        token: token.to_string(),
                        id,
                        count: 1,
                        special: 0,
                        is_control: false,
                    }),
                }
            }
        });
    };
    for (index, message) in conversation.messages.iter().enumerate() {
        let is_answer = role(message) == "assistant";
        for (key, value) in message.as_object().into_iter().flatten() {
            if !NAMES.contains(&key.as_str()) {
                look(Some(index), key, is_answer, value);
            }
        }
    }
    conversation.tools.iter().flatten().for_each(|tool| look(None, "tools", false, tool));
    found
}

/// True for a token with a role, one that the template writes, and one that is called a beginning or an end.
fn has_meaning(method: &Method, tokenizer: &Tokenizer, token: &ControlToken) -> bool {
    let templates = &method.templates;
    let mut all = templates.plain.as_ref().ok().into_iter().chain(&templates.tool_use);
    let name = token.token.to_lowercase();
    let is_edge =
        ["start", "begin", "end", "bos", "eos", "eot", "</s>"].iter().any(|word| name.contains(word));
    tokenizer.roles_of(token.id).any(|role| role != Role::Unk)
        || (is_edge && !name.contains("fim"))
        || all.any(|template| template.source().contains(&token.token))
}

/// Tokens of a region that are the special token.
fn special_in(labelled: &Labelled, prompt: &str, region: &Range<usize>, token: &ControlToken) -> usize {
    let tokens = labelled.spans.iter().zip(&labelled.input_ids);
    let inside = tokens.filter(|(span, id)| {
        **id == i64::from(token.id)
            && span.start >= region.start
            && span.end <= region.end
            && prompt.get((*span).clone()).is_some_and(|text| text.trim() == token.token)
    });
    inside.count()
}

/// A token that stands for an image, a video or a sound.
fn is_of_media(token: &str) -> bool {
    let name = token.to_lowercase();
    MediaKind::ALL.iter().any(|kind| kind.word() == token || kind.tokens().contains(&token))
        || ["image", "img", "video", "audio", "vision"].iter().any(|word| name.contains(word))
}

/// Tags that answers have by themselves: thoughts, and calls of tools.
fn is_tag_of_answers(token: &str) -> bool {
    let name = token.to_lowercase();
    ["think", "thought", "reason", "tool", "function", "channel", "python_tag", "answer"]
        .iter()
        .any(|word| name.contains(word))
}
