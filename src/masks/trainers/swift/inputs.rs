//! `StdTemplateInputs` of ms-swift (`template/template_inputs.py`): a row as swift's messages.

use serde_json::{Map, Value, json};

use crate::masks::MaskError;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, truthy, type_name};

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum SwiftContent {
    /// Python's `None`.
    Nothing,
    Text(String),
    /// Answers in a row, each with flags of its own.
    Answers(Vec<SwiftAnswer>),
    /// The prompt of a round of tool results, piece by piece.
    ToolRound(Vec<super::format::SwiftContext>),
}

/// One of several answers in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SwiftAnswer {
    pub text: Option<String>,
    pub flags: Flags,
}

/// `loss` and `loss_scale` of a message; `None` where it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Flags {
    pub loss: Option<bool>,
    pub loss_scale: Option<f64>,
}

impl Flags {
    fn of(message: &Map<String, Value>) -> Self {
        let loss = match message.get("loss") {
            None | Some(Value::Null) => None,
            Some(flag) => Some(truthy(flag)),
        };
        let loss_scale = message.get("loss_scale").and_then(|value| match value {
            Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
            value => value.as_f64(),
        });
        Self { loss, loss_scale }
    }

    /// These, or the others where these are not given.
    pub fn or(self, other: Self) -> Self {
        Self { loss: self.loss.or(other.loss), loss_scale: self.loss_scale.or(other.loss_scale) }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct SwiftMessage {
    pub role: String,
    pub content: SwiftContent,
    pub flags: Flags,
    /// Everything else that the row's message has, for a Jinja template.
    pub fields: Map<String, Value>,
}

impl SwiftMessage {
    /// A message of nothing but a role and a text.
    pub fn plain(role: &str, content: SwiftContent) -> Self {
        Self { role: role.into(), content, flags: Flags::default(), fields: Map::new() }
    }

    /// The text; nothing for other contents.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            SwiftContent::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A row as swift reads it.
#[derive(Debug, Clone)]
pub struct StdInputs {
    pub messages: Vec<SwiftMessage>,
    /// `None`: the type's default system text; empty: none at all.
    pub system: Option<String>,
    pub tools: Value,
    pub chat_template_kwargs: Map<String, Value>,
    /// `add_eos` of the row; `None` for automatic.
    pub add_eos: Option<bool>,
}

impl StdInputs {
    /// Reads a row.
    ///
    /// # Errors
    /// `KeyError` and `TypeError` as the code raises them on messages of another shape.
    pub fn read(row: &Map<String, Value>) -> Result<Self, MaskError> {
        let raw = row.get("messages").and_then(Value::as_array).map(Vec::as_slice);
        let raw = raw.ok_or_else(|| MaskError::python("KeyError", "'messages'"))?;
        let mut objects = Vec::new();
        for message in raw {
            objects.push(message.as_object().cloned().ok_or_else(|| {
                let kind = type_name(message);
                MaskError::python("AttributeError", format!("'{kind}' object has no attribute 'get'"))
            })?);
        }
        let mut objects = separate_tool_calls(objects)?;
        let mut system = None;
        if objects.first().is_some_and(|message| role_is(message, &["system"])) {
            let content = objects.remove(0).shift_remove("content");
            let content = content.ok_or_else(|| MaskError::python("KeyError", "'content'"))?;
            system = content.as_str().map(ToString::to_string);
        }
        let messages = objects.into_iter().map(message).collect::<Result<Vec<_>, _>>()?;
        let object = |key: &str| row.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        let add_eos = match row.get("add_eos") {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) if word == "auto" => None,
            Some(flag) => Some(truthy(flag)),
        };
        Ok(Self {
            messages,
            system,
            tools: row.get("tools").cloned().unwrap_or_default(),
            chat_template_kwargs: object("chat_template_kwargs"),
            add_eos,
        })
    }
}

fn role_is(message: &Map<String, Value>, roles: &[&str]) -> bool {
    message.get("role").and_then(Value::as_str).is_some_and(|role| roles.contains(&role))
}

/// OpenAI's `tool_calls` become messages of their own, with the results behind them in the order of the calls.
fn separate_tool_calls(mut messages: Vec<Map<String, Value>>) -> Result<Vec<Map<String, Value>>, MaskError> {
    let mut out = Vec::new();
    for index in 0..messages.len() {
        let Some(message) = messages.get(index).cloned() else { break };
        let calls = match message.get("tool_calls") {
            Some(Value::Array(calls)) if !calls.is_empty() && role_is(&message, &["assistant"]) => {
                calls.clone()
            }
            _ => {
                out.push(message);
                continue;
            }
        };
        sort_results(&mut messages, index, &calls);
        let kept = |key: &&str| message.get(*key).map(|value| ((*key).to_string(), value.clone()));
        if message.get("content").is_some_and(truthy) {
            out.push(
                message
                    .iter()
                    .filter(|(key, _)| ["role", "content", "loss", "loss_scale"].contains(&key.as_str()))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            );
        }
        for call in &calls {
            let function = call.get("function").unwrap_or(call);
            let name = function.get("name").ok_or_else(|| MaskError::python("KeyError", "'name'"))?;
            let arguments = match function.get("arguments") {
                None => json!({}),
                Some(Value::String(text)) => {
                    serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
                }
                Some(arguments) => arguments.clone(),
            };
            let mut made = Map::new();
            made.insert("role".into(), "tool_call".into());
            made.insert("content".into(), json!({"name": name, "arguments": arguments}));
            made.extend(["loss", "loss_scale"].iter().filter_map(kept));
            out.push(made);
        }
    }
    Ok(out)
}

/// Results with the ids of all calls, and no others, are put in the order of the calls.
fn sort_results(messages: &mut [Map<String, Value>], index: usize, calls: &[Value]) {
    let ids: Vec<&Value> =
        calls.iter().filter_map(|call| call.get("id").filter(|id| !id.is_null())).collect();
    let Some(rest) = messages.get_mut(index + 1..) else { return };
    let count = rest.iter().take_while(|message| role_is(message, &["tool", "tool_response"])).count();
    let Some(results) = rest.get_mut(..count) else { return };
    let distinct =
        ids.iter().enumerate().all(|(at, id)| ids.iter().position(|other| other == id) == Some(at));
    let place = |message: &Map<String, Value>| {
        let id = message.get("tool_call_id")?;
        ids.iter().position(|known| *known == id)
    };
    let answered: std::collections::BTreeSet<usize> = results.iter().filter_map(place).collect();
    let all = results.iter().all(|message| place(message).is_some()) && answered.len() == calls.len();
    if ids.len() == calls.len() && distinct && results.len() == calls.len() && all {
        results.sort_by_key(place);
    }
}

fn message(mut fields: Map<String, Value>) -> Result<SwiftMessage, MaskError> {
    let mut role = match fields.get("role") {
        Some(Value::String(role)) => role.clone(),
        _ => return Err(MaskError::python("KeyError", "'role'")),
    };
    if role == "tool_response" {
        role = "tool".into();
        fields.insert("role".into(), "tool".into());
    }
    let content = match fields.get("content") {
        Some(Value::String(text)) => SwiftContent::Text(text.clone()),
        value if matches!(role.as_str(), "tool" | "tool_call") => {
            SwiftContent::Text(dumps(value.unwrap_or(&Value::Null), PythonJsonStyle::UNICODE))
        }
        None => return Err(MaskError::python("KeyError", "'content'")),
        Some(Value::Null) => SwiftContent::Nothing,
        Some(Value::Array(parts)) => SwiftContent::Text(joined_parts(parts)?),
        Some(other) => {
            let kind = type_name(other);
            return Err(MaskError::python("TypeError", format!("'{kind}' object is not iterable")));
        }
    };
    Ok(SwiftMessage { role, content, flags: Flags::of(&fields), fields })
}

/// Parts as one text, with a place such as `<image>` for each that is no text.
fn joined_parts(parts: &[Value]) -> Result<String, MaskError> {
    let mut text = String::new();
    for part in parts {
        let Some(fields) = part.as_object() else {
            let kind = type_name(part);
            let message = match part {
                Value::String(_) => "string indices must be integers, not 'str'".to_string(),
                _ => format!("'{kind}' object is not subscriptable"),
            };
            return Err(MaskError::python("TypeError", message));
        };
        let kind = fields.get("type").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| MaskError::python("KeyError", "'type'"))?;
        if kind == "text" {
            let value = fields.get("text").unwrap_or(&Value::Null);
            text.push_str(value.as_str().ok_or_else(|| {
                let kind = type_name(value);
                MaskError::python("TypeError", format!("can only concatenate str (not \"{kind}\") to str"))
            })?);
            continue;
        }
        let kind = kind.strip_suffix("_url").unwrap_or(kind);
        text.push_str(&format!("<{kind}>"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: Value) -> StdInputs {
        StdInputs::read(row.as_object().unwrap()).unwrap()
    }

    #[test]
    fn tool_calls_are_messages_and_results_follow_their_order() {
        let inputs = read(json!({"messages": [
            {"role": "system", "content": "S"}, {"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "1", "function": {"name": "a", "arguments": "{\"x\": 1}"}},
                {"id": "2", "function": {"name": "b", "arguments": {}}}]},
            {"role": "tool", "tool_call_id": "2", "content": "two"},
            {"role": "tool", "tool_call_id": "1", "content": "one"}]}));
        let texts: Vec<_> = inputs.messages.iter().map(|m| (m.role.as_str(), m.text().unwrap())).collect();
        assert_eq!(inputs.system.as_deref(), Some("S"));
        assert_eq!(texts[1], ("tool_call", r#"{"name": "a", "arguments": {"x": 1}}"#));
        assert_eq!((texts[3], texts[4]), (("tool", "one"), ("tool", "two")));
    }

    #[test]
    fn parts_are_one_text() {
        let inputs = read(json!({"messages": [{"role": "user", "content":
            [{"type": "image_url", "image_url": "u"}, {"type": "text", "text": " what?"}]}]}));
        assert_eq!(inputs.messages[0].text(), Some("<image> what?"));
    }
}
