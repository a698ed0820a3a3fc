//! One record of a data set: what it holds, and what each kind of template makes of it.
//!
//! LLaVA's templates read [`Sample::conversations`], chat templates [`Sample::conversation`]; a record of either layout
//! gives both. Records that are no conversation (ids with labels, segments, text) say what they are in
//! [`Sample::body`].

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::conversation::{Conversation, content, role};
use super::media::MediaFiles;

/// One turn: who speaks (`human` or `gpt` in good data) and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub from: String,
    pub value: String,
}

impl Turn {
    /// A turn.
    pub fn new(from: impl Into<String>, value: impl Into<String>) -> Self {
        Self { from: from.into(), value: value.into() }
    }
}

/// A piece of text with its own flag (axolotl's `input_output`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSegment {
    pub text: String,
    pub trained: bool,
}

/// What a record is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// Turns with nothing beside who speaks and what: messages are made from them.
    #[default]
    Turns,
    /// Messages with whatever a trainer may read in them.
    Messages(Conversation),
    /// TRL's pair of messages: the first `prompt` messages are the prompt.
    PromptCompletion { conversation: Conversation, prompt: usize },
    /// TRL's pair as text.
    PromptCompletionText { prompt: String, completion: String },
    /// Text that is supervised whole.
    Text(String),
    /// Ids with their labels, as many of one as of the other.
    Pretokenised { input_ids: Vec<i64>, labels: Vec<i64> },
    /// Pieces that are each supervised or not.
    Segments(Vec<TextSegment>),
    /// A row with a `chosen` and a `rejected` answer, or with a `completion` and whether it is wanted (`label`). Not for
    /// supervised training.
    Preference(Map<String, Value>),
}

/// The columns that a record's conversation stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// A list of `{from, value}` under this key.
    Turns(&'static str),
    /// A list of `{role, content}` under this key.
    Messages(&'static str),
    /// Lists of messages under `prompt` and `completion`.
    PromptCompletion,
    /// One question and one answer, `system` and `history` beside them.
    Pair { question: &'static str, input: Option<&'static str>, answer: &'static str },
}

impl Default for Columns {
    fn default() -> Self {
        Self::Turns("conversations")
    }
}

/// A record of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The record's `id`, or its index.
    pub id: String,
    /// The turns as LLaVA's code reads them; none for records that are no conversation.
    pub conversations: Vec<Turn>,
    /// The record has a key `image` or `video` (whatever its value): it takes the multimodal path.
    pub has_image: bool,
    /// It has the key `video` and no `image`: LLaVA's own code takes it for a text, Video-LLaVA's does not.
    pub has_only_video: bool,
    /// How many image files and videos the record names, where it says so.
    pub media: usize,
    /// The files that its columns name; [`Self::media`] counts as LLaVA's code does.
    pub files: MediaFiles,
    /// Where the file has the conversation.
    pub columns: Columns,
    /// Columns of the record that say something and that nothing reads.
    pub unread: Vec<(&'static str, Value)>,
    pub body: Body,
}

impl Sample {
    /// A text sample.
    pub fn text(id: impl Into<String>, conversations: Vec<Turn>) -> Self {
        Self { id: id.into(), conversations, ..Self::default() }
    }

    /// A sample of messages; LLaVA's turns are made from them.
    pub fn of_messages(id: impl Into<String>, conversation: Conversation) -> Self {
        let conversations = turns_of(&conversation.messages);
        let columns = Columns::Messages("messages");
        Self { id: id.into(), conversations, columns, body: Body::Messages(conversation), ..Self::default() }
    }

    /// The messages of a conversation; `None` for a record that is none.
    pub fn conversation(&self) -> Option<Cow<'_, Conversation>> {
        match &self.body {
            Body::Turns => {
                let messages = self.conversations.iter().map(message_of).collect();
                Some(Cow::Owned(Conversation { messages, ..Conversation::default() }))
            }
            Body::Messages(conversation) | Body::PromptCompletion { conversation, .. } => {
                Some(Cow::Borrowed(conversation))
            }
            Body::PromptCompletionText { .. }
            | Body::Text(_)
            | Body::Pretokenised { .. }
            | Body::Segments(_)
            | Body::Preference(_) => None,
        }
    }

    /// Bytes of the turns' texts, or of the text that the record has instead: how much there is to encode.
    pub fn text_len(&self) -> usize {
        let turns = self.conversations.iter().map(|turn| turn.value.len());
        let body = match &self.body {
            Body::PromptCompletionText { prompt, completion } => prompt.len() + completion.len(),
            Body::Text(text) => text.len(),
            Body::Segments(segments) => segments.iter().map(|segment| segment.text.len()).sum(),
            _ => 0,
        };
        turns.sum::<usize>() + body
    }

    /// Gives a turn another text, in the messages too. Parts of a message that are no text stay.
    pub fn set_turn(&mut self, index: usize, text: &str) {
        let Some(turn) = self.conversations.get_mut(index) else { return };
        turn.value = text.to_string();
        let conversation = match &mut self.body {
            Body::Messages(conversation) | Body::PromptCompletion { conversation, .. } => conversation,
            _ => return,
        };
        // A system text of the row itself stands before the turns.
        let before = conversation.messages.len().saturating_sub(self.conversations.len());
        if let Some(Value::Object(message)) = conversation.messages.get_mut(before + index) {
            set_text(message, text);
        }
    }
}

/// Puts `text` in place of a message's text: the first text part of a list gets it, the others are emptied.
fn set_text(message: &mut Map<String, Value>, text: &str) {
    let Some(Value::Array(parts)) = message.get_mut("content") else {
        message.insert("content".into(), text.into());
        return;
    };
    let mut text = Some(text.replace("<image>\n", "").replace("<image>", ""));
    for slot in parts.iter_mut().filter_map(|part| part.get_mut("text")) {
        *slot = text.take().unwrap_or_default().into();
    }
    if let Some(text) = text {
        parts.push(json!({"type": "text", "text": text}));
    }
}

/// ShareGPT's name of a role in the field's own words; a name that trainers do not know stays.
pub(super) fn plain_role(from: &str) -> &str {
    SHAREGPT_ROLES.iter().find(|(name, _)| *name == from).map_or(from, |(_, role)| role)
}

/// ShareGPT's names of roles and the field's own.
pub const SHAREGPT_ROLES: [(&str, &str); 9] = [
    ("human", "user"),
    ("gpt", "assistant"),
    ("bing", "assistant"),
    ("chatgpt", "assistant"),
    ("bard", "assistant"),
    ("model", "assistant"),
    ("function_call", "assistant"),
    ("observation", "tool"),
    ("function_response", "tool"),
];

pub(super) fn message_of(turn: &Turn) -> Value {
    let mut message = json!({"role": plain_role(&turn.from), "content": turn.value});
    if let Some(message) = message.as_object_mut().filter(|_| is_call(&turn.from)) {
        message.insert("from".into(), turn.from.clone().into());
    }
    message
}

/// True for ShareGPT's name of a turn that is a call in JSON: a message keeps it, for trainers that write calls in a
/// format of their own.
pub(super) fn is_call(from: &str) -> bool {
    from == "function_call"
}

/// Messages as LLaVA's code would want them: its names for the two speakers, an `<image>` for a picture.
pub(super) fn turns_of(messages: &[Value]) -> Vec<Turn> {
    let turn = |message: &Value| {
        let from = match role(message) {
            "user" => "human",
            "assistant" => "gpt",
            other => other,
        };
        Turn::new(from, plain_text(message))
    };
    messages.iter().map(turn).collect()
}

fn plain_text(message: &Value) -> String {
    if let Some(text) = content(message) {
        return text.to_string();
    }
    let parts = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts = parts.iter().map(|part| match part.get("type").and_then(Value::as_str) {
        Some("image" | "image_url") => "<image>\n".to_string(),
        Some("video" | "video_url") => "<video>\n".to_string(),
        _ => part.get("text").and_then(Value::as_str).unwrap_or_default().to_string(),
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_messages_and_messages_turns() {
        let sample = Sample::text("a", vec![Turn::new("human", "q"), Turn::new("gpt", "r")]);
        let messages = sample.conversation().unwrap().into_owned().messages;
        assert_eq!(
            messages,
            [json!({"role": "user", "content": "q"}), json!({"role": "assistant", "content": "r"})]
        );
        let conversation = Conversation { messages, ..Conversation::default() };
        assert_eq!(Sample::of_messages("a", conversation).conversations, sample.conversations);
    }

    #[test]
    fn a_changed_turn_changes_its_message() {
        let parts = json!({"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "old"}]});
        let mut sample =
            Sample::of_messages("a", Conversation { messages: vec![parts], ..Conversation::default() });
        assert_eq!(sample.conversations[0].value, "<image>\nold");
        sample.set_turn(0, "<image>\nnew");
        let expected = json!([{"type": "image"}, {"type": "text", "text": "new"}]);
        assert_eq!(sample.conversation().unwrap().messages[0]["content"], expected);
    }
}
