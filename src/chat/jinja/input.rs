//! What transformers does to messages, tools and documents before a template sees them.

use serde_json::{Map, Value};

use super::error::PythonException;
use crate::chat::conversation::REASONING_KEYS;
use crate::python::type_name;

/// Marks where the final message ends in the rendered text; the space shows whether the template strips.
const CONTINUE_TAG: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// `continue_final_message`: leave the last message open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ContinueFinalMessage {
    /// Render every message to its end.
    #[default]
    No,
    /// Continue `content`.
    Content,
    /// Continue another field, `reasoning_content` for one.
    Field(String),
}

impl ContinueFinalMessage {
    /// Name of the field, if any.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::No => None,
            Self::Content => Some("content"),
            Self::Field(name) => Some(name),
        }
    }
}

/// What one rendering gets.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// Dicts with `role`, `content` and whatever else the template reads.
    pub messages: &'a [Value],
    /// JSON schemas of tools. `Some(&[])` is not `None` to a template.
    pub tools: Option<&'a [Value]>,
    /// Dicts with `title` and `text`.
    pub documents: Option<&'a [Value]>,
    /// `special_tokens_map`: `bos_token`, `eos_token`, …, only those that are set.
    pub special_tokens: Option<&'a Map<String, Value>>,
    /// Further variables; they win over special tokens of the same name.
    pub kwargs: Option<&'a Map<String, Value>>,
    pub add_generation_prompt: bool,
    pub continue_final_message: ContinueFinalMessage,
}

fn value_error(message: impl Into<String>) -> PythonException {
    PythonException::new("ValueError", message)
}

/// Messages as the template sees them: keys that are null are dropped, reasoning has all its names.
pub(super) fn normalise(messages: &[Value]) -> Result<Vec<Value>, PythonException> {
    if messages.is_empty() {
        let message = "Cannot apply chat template to an empty conversation. Provide at least one message.";
        return Err(value_error(message));
    }
    messages.iter().map(normalise_message).collect()
}

fn normalise_message(message: &Value) -> Result<Value, PythonException> {
    let Value::Object(fields) = message else {
        let kind = type_name(message);
        return Err(PythonException::new(
            "AttributeError",
            format!("'{kind}' object has no attribute 'items'"),
        ));
    };
    let fields: Map<String, Value> =
        fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    let Some(reasoning) = REASONING_KEYS.iter().find_map(|name| fields.get(*name)).cloned() else {
        return Ok(Value::Object(fields));
    };
    let mut aliased = Map::with_capacity(fields.len() + 2);
    aliased.insert("thinking".into(), reasoning.clone());
    aliased.extend(fields);
    aliased.insert("reasoning_content".into(), reasoning);
    Ok(Value::Object(aliased))
}

/// Tools must be dicts, documents too.
pub(super) fn check_lists(
    tools: Option<&[Value]>,
    documents: Option<&[Value]>,
) -> Result<(), PythonException> {
    if tools.is_some_and(|tools| !tools.iter().all(Value::is_object)) {
        return Err(value_error(
            "Tools should either be a JSON schema, or a callable function with type hints and a docstring \
             suitable for auto-conversion to a schema.",
        ));
    }
    if documents.is_some_and(|documents| !documents.iter().all(Value::is_object)) {
        let message = "Documents should be a list of dicts with 'title' and 'text' keys!";
        return Err(PythonException::new("TypeError", message));
    }
    Ok(())
}

/// JSON as a template's value; the order of keys is kept.
pub(super) fn template_value(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(flag) => minijinja::Value::from(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => minijinja::Value::from(integer),
            (None, Some(integer)) => minijinja::Value::from(integer),
            (None, None) => minijinja::Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => minijinja::Value::from(text.as_str()),
        Value::Array(items) => minijinja::Value::from(items.iter().map(template_value).collect::<Vec<_>>()),
        Value::Object(map) => {
            minijinja::Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), template_value(value))))
        }
    }
}

/// A list, or Python's `None`.
pub(super) fn list_value(list: Option<&[Value]>) -> minijinja::Value {
    match list {
        Some(items) => minijinja::Value::from(items.iter().map(template_value).collect::<Vec<_>>()),
        None => minijinja::Value::from(()),
    }
}

/// The tag that was put behind the final message, and the text it followed.
#[derive(Debug)]
pub(super) struct Continuation {
    final_message: String,
}

impl Continuation {
    /// Puts the tag into the last of `messages`.
    pub fn prepare(messages: &mut [Value], field: &str, source: &str) -> Result<Self, PythonException> {
        let Some(Value::Object(last)) = messages.last_mut() else {
            return Err(value_error("continue_final_message is set but the conversation is empty!"));
        };
        let Some(content) = last.get(field).cloned() else {
            return Err(value_error(format!(
                "continue_final_message is set but the final message has no \"{field}\" to continue!"
            )));
        };
        let fields: Vec<&str> = if REASONING_KEYS.contains(&field) {
            REASONING_KEYS.into_iter().filter(|name| last.get(*name) == Some(&content)).collect()
        } else {
            vec![field]
        };
        if !fields.iter().any(|name| source.contains(name)) {
            return Err(value_error(format!(
                "continue_final_message is set to \"{field}\" but this is not an accepted field in the chat_template"
            )));
        }
        if content.is_array() {
            return last.get_mut(field).and_then(tag_last_text).map(|final_message| Self { final_message }).ok_or_else(
                || {
                    value_error(
                        "continue_final_message is set but we could not find any text to continue in the final message!",
                    )
                },
            );
        }
        let Some(text) = content.as_str() else {
            let kind = type_name(&content);
            let message = format!("unsupported operand type(s) for +: '{kind}' and 'str'");
            return Err(PythonException::new("TypeError", message));
        };
        for name in fields {
            last.insert(name.into(), Value::String(format!("{text}{CONTINUE_TAG}")));
        }
        Ok(Self { final_message: text.to_string() })
    }

    /// Cuts the rendered text at the tag.
    pub fn cut(&self, mut rendered: String) -> Result<String, PythonException> {
        let wanted = self.final_message.trim_matches(super::python::is_space);
        let at = rendered.rfind(CONTINUE_TAG.trim_end()).filter(|_| rendered.contains(wanted));
        let Some(at) = at else {
            return Err(value_error(format!(
                "continue_final_message is set but the final message does not appear in the chat after applying \
                 the chat template! This can happen if the chat template deletes portions of the final message. \
                 Please verify the chat template and final message in your chat to ensure they are compatible.\
                 Final message to continue: {wanted}\nRendered chat:\n{rendered}"
            )));
        };
        let kept_space = rendered.get(at..).is_some_and(|tail| tail.starts_with(CONTINUE_TAG));
        rendered.truncate(at);
        if !kept_space {
            rendered.truncate(rendered.trim_end_matches(super::python::is_space).len());
        }
        Ok(rendered)
    }
}

/// Tags the last part that has a text; gives the text it had.
fn tag_last_text(parts: &mut Value) -> Option<String> {
    let part = parts.as_array_mut()?.iter_mut().rev().find(|part| part.get("text").is_some())?;
    let text = part.get("text")?.as_str()?.to_string();
    *part.get_mut("text")? = Value::String(format!("{text}{CONTINUE_TAG}"));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nulls_go_and_reasoning_gets_its_names() {
        let message = json!({"role": "assistant", "content": null, "reasoning": "why"});
        let expected = r#"{"thinking":"why","role":"assistant","reasoning":"why","reasoning_content":"why"}"#;
        assert_eq!(normalise(&[message]).unwrap()[0].to_string(), expected);
    }

    #[test]
    fn continuation_cuts_at_the_last_tag() {
        let mut messages = vec![json!({"role": "assistant", "content": "Sure "})];
        let continuation = Continuation::prepare(&mut messages, "content", "{{ content }}").unwrap();
        assert_eq!(messages[0]["content"], "Sure CONTINUE_FINAL_MESSAGE_TAG ");
        let kept = continuation.cut("a Sure CONTINUE_FINAL_MESSAGE_TAG </s>".into()).unwrap();
        assert_eq!(kept, "a Sure ");
        let stripped = continuation.cut("a Sure CONTINUE_FINAL_MESSAGE_TAG</s>".into()).unwrap();
        assert_eq!(stripped, "a Sure");
    }
}
