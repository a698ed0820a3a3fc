//! A conversation as today's trainers get it: messages, tools and template variables.

use serde_json::{Map, Value};

/// What `apply_chat_template` takes of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Dicts with `role` and `content`.
    pub messages: Vec<Value>,
    /// JSON schemas; `None` is not an empty list.
    pub tools: Option<Vec<Value>>,
    /// Further template variables (`enable_thinking`, `documents`, …).
    pub kwargs: Map<String, Value>,
}

/// `message["role"]`, or nothing.
pub fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

/// Roles of turns whose content is a call as JSON: ms-swift's, and ShareGPT's.
pub const CALL_ROLES: [&str; 2] = ["tool_call", "function_call"];

/// Names a message's reasoning goes by; the first is the one that templates read.
pub const REASONING_KEYS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// The reasoning of a message with its key: the first of [`REASONING_KEYS`] that has a text, an empty one being none.
pub fn reasoning(message: &Value) -> Option<(&'static str, &str)> {
    let text = |key: &str| message.get(key)?.as_str().filter(|text| !text.trim().is_empty());
    REASONING_KEYS.iter().find_map(|key| Some((*key, text(key)?)))
}

/// `message["content"]` where it is text.
pub fn content(message: &Value) -> Option<&str> {
    message.get("content").and_then(Value::as_str)
}
