//! nanochat (snapshot 92d63d4): `render_conversation` of `nanochat/tokenizer.py`.
//!
//! Users and assistants take turns, told apart by special tokens of nanochat's own; contents are plain text even where
//! they spell one. Of an answer's parts, text and Python are supervised, the output of Python is not.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::python_json::str_of;
use super::{PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::{MaskError, role};
use crate::tokenizer::TokenId;

/// Arguments of `render_conversation`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NanochatOptions {
    pub max_tokens: usize,
}

impl Default for NanochatOptions {
    fn default() -> Self {
        Self { max_tokens: 2048 }
    }
}

/// The tokenizer with nanochat's special tokens.
#[derive(Debug)]
pub struct NanochatTokenizer<'a> {
    resources: Resources<'a>,
    options: NanochatOptions,
}

impl<'a> NanochatTokenizer<'a> {
    /// The tokenizer.
    pub fn new(resources: Resources<'a>, options: NanochatOptions) -> Self {
        Self { resources, options }
    }

    fn special(&self, name: &str) -> Result<TokenId, MaskError> {
        let token = format!("<|{name}|>");
        let id = self.resources.encoder.token_to_id(&token);
        id.ok_or_else(|| {
            MaskError::Unfit(format!("nanochat needs {token}, which the vocabulary does not have"))
        })
    }

    fn answer(&self, sequence: &mut TrainingSequence, content: &Value) -> Result<(), MaskError> {
        let parts = match content {
            Value::String(text) => {
                sequence.push(self.resources.ordinary_ids(text)?, true);
                return Ok(());
            }
            Value::Array(parts) => parts,
            other => {
                let kind = super::python_json::type_name(other);
                return Err(MaskError::python(
                    "ValueError",
                    format!("Unknown content type: <class '{kind}'>"),
                ));
            }
        };
        for part in parts {
            let ids = self.resources.ordinary_ids(&part.get("text").map(str_of).unwrap_or_default())?;
            let (tags, target) = match part.get("type").and_then(Value::as_str) {
                Some("text") => (None, true),
                Some("python") => (Some(["python_start", "python_end"]), true),
                Some("python_output") => (Some(["output_start", "output_end"]), false),
                kind => {
                    let message = format!("Unknown part type: {}", kind.unwrap_or("None"));
                    return Err(MaskError::python("ValueError", message));
                }
            };
            if let Some([start, _]) = tags {
                sequence.push([self.special(start)?], target);
            }
            sequence.push(ids, target);
            if let Some([_, end]) = tags {
                sequence.push([self.special(end)?], target);
            }
        }
        Ok(())
    }
}

/// A leading system message goes in front of the first user's text.
fn merged_system(messages: &[Value]) -> Result<Vec<Value>, MaskError> {
    let mut messages = messages.to_vec();
    if messages.first().is_none_or(|first| role(first) != "system") {
        return Ok(messages);
    }
    let system = messages.remove(0);
    let Some(Value::Object(first)) = messages.first_mut().filter(|first| role(first) == "user") else {
        return Err(MaskError::python("AssertionError", "System message must be followed by a user message"));
    };
    let text = |message: Option<&Value>| message.map(str_of).unwrap_or_default();
    let merged = format!("{}\n\n{}", text(system.get("content")), text(first.get("content")));
    first.insert("content".into(), merged.into());
    Ok(messages)
}

impl RowPreparer for NanochatTokenizer<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let given = row.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let messages = merged_system(given)?;
        let refused = |message: String| Err(MaskError::python("AssertionError", message));
        if messages.is_empty() {
            return refused("Conversation has less than 1 message: []".into());
        }
        let mut sequence = TrainingSequence::default();
        sequence.push([self.special("bos")?], false);
        for (index, message) in messages.iter().enumerate() {
            let expected = if index % 2 == 0 { "user" } else { "assistant" };
            let found = role(message);
            if found != expected {
                return refused(format!("Message {index} is from {found} but should be from {expected}"));
            }
            let content = message.get("content").unwrap_or(&Value::Null);
            sequence.push([self.special(&format!("{expected}_start"))?], false);
            match (expected, content) {
                ("user", Value::String(text)) => sequence.push(self.resources.ordinary_ids(text)?, false),
                ("user", _) => return refused("User messages are simply expected to be strings".into()),
                (_, content) => self.answer(&mut sequence, content)?,
            }
            sequence.push([self.special(&format!("{expected}_end"))?], expected == "assistant");
        }
        sequence.cut(0..self.options.max_tokens);
        Ok(PreparedRow::one(sequence))
    }
}
