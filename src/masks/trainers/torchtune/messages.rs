//! Rows as torchtune's messages (`data/_messages.py`).

use serde_json::{Map, Value};

use super::options::TorchtuneOptions;
use crate::masks::MaskError;
use crate::masks::trainers::AnswerSide;
use crate::masks::trainers::python_json::{str_of, type_name};

/// torchtune's `Message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchtuneMessage {
    pub role: String,
    /// Texts, each tokenised by itself.
    pub content: Vec<String>,
    /// Not a target of the loss.
    pub masked: bool,
    /// A tool call.
    pub ipython: bool,
    /// The end of a turn.
    pub eot: bool,
}

impl TorchtuneMessage {
    /// A message of one text.
    pub fn new(role: &str, text: &str, masked: bool) -> Self {
        Self { role: role.into(), content: vec![text.into()], masked, ipython: false, eot: true }
    }

    /// The same with its flags.
    ///
    /// # Errors
    /// `ValueError` for a tool call of another role than the assistant's.
    pub fn with_flags(self, ipython: bool, eot: bool) -> Result<Self, MaskError> {
        if ipython && self.role != "assistant" {
            let (role, text) = (&self.role, self.content.concat());
            let message =
                format!("Only assistant messages can be tool calls. Found role {role} in message: {text}");
            return Err(MaskError::python("ValueError", message));
        }
        Ok(Self { ipython, eot, ..self })
    }
}

/// `validate_messages`.
///
/// # Errors
/// `ValueError` for fewer than two messages, roles out of turn, a system message that is not the first.
pub fn validate(messages: &[TorchtuneMessage]) -> Result<(), MaskError> {
    let refused = |message: String| Err(MaskError::python("ValueError", message));
    if messages.len() < 2 {
        let count = messages.len();
        return refused(format!("Messages must be at least length 2, but got {count} messages"));
    }
    let mut last = "assistant";
    for (index, message) in messages.iter().enumerate() {
        match (message.role.as_str(), last) {
            ("assistant", last) if last != "user" => {
                return refused(format!(
                    "Assistant message before expected user message at index {index} in messages"
                ));
            }
            ("user", "user") => {
                let before = index as i64 - 1;
                return refused(format!(
                    "Two consecutive user messages at index {index} and {before} in messages"
                ));
            }
            ("system", _) if index > 0 => {
                return refused(format!(
                    "System message at index {index} in messages, but system messages must come first"
                ));
            }
            _ => {}
        }
        last = &message.role;
    }
    Ok(())
}

/// The messages of a row of any layout that torchtune has a transform for.
///
/// # Errors
/// `KeyError` for a column that is not there, and whatever the layout's transform raises.
pub fn of_row(
    row: &Map<String, Value>,
    options: &TorchtuneOptions,
) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let name = |key: &'static str| options.column_map.get(key).and_then(Value::as_str).unwrap_or(key);
    let mut messages = Vec::new();
    if let Some(system) = &options.new_system_prompt {
        messages.push(TorchtuneMessage::new("system", system, true));
    }
    if let Some(turns) = row.get(name("conversations")) {
        messages.extend(share_gpt(turns, options)?);
    } else if let Some(given) = row.get(name("messages")) {
        messages.extend(open_ai(given, options)?);
    } else if row.contains_key(name("instruction")) {
        // Alpaca's transform has no system prompt.
        messages = alpaca(row, options)?;
    } else {
        let text = |key: &'static str| text_of(row, name(key));
        messages.push(TorchtuneMessage::new(
            "user",
            &text("input")?,
            !options.train_on_input.unwrap_or(false),
        ));
        messages.push(TorchtuneMessage::new("assistant", &text("output")?, false));
    }
    Ok(messages)
}

fn text_of(row: &Map<String, Value>, key: &str) -> Result<String, MaskError> {
    row.get(key).map(str_of).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn field<'m>(message: &'m Value, key: &str) -> Result<&'m Value, MaskError> {
    message.get(key).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
}

fn is_masked(role: &str, options: &TorchtuneOptions) -> bool {
    role != "assistant" && !options.train_on_input.unwrap_or(false)
}

fn open_ai(given: &Value, options: &TorchtuneOptions) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let mut messages = Vec::new();
    let mut content: Option<Vec<String>> = None;
    for message in items(given) {
        let role = str_of(field(message, "role")?);
        if role == "system" && options.new_system_prompt.is_some() {
            continue;
        }
        match field(message, "content")? {
            Value::Array(parts) => content = Some(texts_of_parts(parts)?),
            Value::String(text) => content = Some(vec![text.clone()]),
            // The variable keeps what the message before had.
            _ => {}
        }
        let content = content.clone().ok_or_else(|| {
            let message = "cannot access local variable 'content' where it is not associated with a value";
            MaskError::python("UnboundLocalError", message)
        })?;
        let masked = is_masked(&role, options);
        messages.push(TorchtuneMessage { content, ..TorchtuneMessage::new(&role, "", masked) });
    }
    Ok(messages)
}

/// The texts of OpenAI's parts; other parts than texts and `image_url` are left out.
fn texts_of_parts(parts: &[Value]) -> Result<Vec<String>, MaskError> {
    let mut texts = Vec::new();
    for part in parts {
        match field(part, "type")?.as_str() {
            Some("text") => texts.push(str_of(field(part, "text")?)),
            Some("image_url") => {
                return Err(MaskError::Unfit("torchtune loads the image of an image_url part here".into()));
            }
            _ => {}
        }
    }
    Ok(texts)
}

fn share_gpt(turns: &Value, options: &TorchtuneOptions) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let mut messages = Vec::new();
    for turn in items(turns) {
        let from = str_of(field(turn, "from")?);
        let role = match from.as_str() {
            "system" => "system",
            "human" => "user",
            "gpt" => "assistant",
            other => return Err(MaskError::python("KeyError", format!("'{other}'"))),
        };
        if role == "system" && options.new_system_prompt.is_some() {
            continue;
        }
        let value = field(turn, "value")?;
        messages.push(TorchtuneMessage::new(role, &text_content(value)?, is_masked(role, options)));
    }
    Ok(messages)
}

fn text_content(value: &Value) -> Result<String, MaskError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(MaskError::python(
            "AssertionError",
            format!(
                "content must be of type List[Dict[str, Any]], got {} ({})",
                str_of(other),
                type_name(other)
            ),
        )),
    }
}

fn alpaca(row: &Map<String, Value>, options: &TorchtuneOptions) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let name = |key: &'static str| options.column_map.get(key).and_then(Value::as_str).unwrap_or(key);
    let instruction = text_of(row, name("instruction"))?;
    let input = row.get(name("input")).map(str_of).filter(|input| !input.is_empty() && input != "None");
    let prompt = match input {
        Some(input) => format!(
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a \
             response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### \
             Input:\n{input}\n\n### Response:\n"
        ),
        None => format!(
            "Below is an instruction that describes a task. Write a response that appropriately completes the \
             request.\n\n### Instruction:\n{instruction}\n\n### Response:\n"
        ),
    };
    let masked = !options.train_on_input.unwrap_or(true);
    let output = text_of(row, name("output"))?;
    Ok(vec![
        TorchtuneMessage::new("user", &prompt, masked),
        TorchtuneMessage::new("assistant", &output, false),
    ])
}

/// One side of a preference row: its prompt, where the row has one, and its messages.
///
/// # Errors
/// `KeyError` for a column or field that is not there.
pub fn preference_side(
    row: &Map<String, Value>,
    side: AnswerSide,
    options: &TorchtuneOptions,
) -> Result<Vec<TorchtuneMessage>, MaskError> {
    let key = options.column_map.get(side.name()).and_then(Value::as_str).unwrap_or(side.name());
    let given = row.get(key).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))?;
    let mut messages = Vec::new();
    if let Some(system) = &options.new_system_prompt {
        messages.push(TorchtuneMessage::new("system", system, true));
    }
    for message in items(given) {
        let role = str_of(field(message, "role")?);
        if role == "system" && options.new_system_prompt.is_some() {
            continue;
        }
        let content = field(message, "content")?;
        let content = match content {
            Value::Array(parts) => {
                let text = |part: &Value| field(part, "content").map(str_of);
                parts.iter().map(text).collect::<Result<_, _>>()?
            }
            value => vec![text_content(value)?],
        };
        let flag = |key: &str, default: bool| message.get(key).and_then(Value::as_bool).unwrap_or(default);
        let made =
            TorchtuneMessage { content, ..TorchtuneMessage::new(&role, "", is_masked(&role, options)) };
        messages.push(made.with_flags(flag("ipython", false), flag("eot", true))?);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_of_none_is_that_of_the_message_before() {
        let row =
            json!({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": null}]});
        let messages = of_row(row.as_object().unwrap(), &TorchtuneOptions::default()).unwrap();
        assert_eq!(messages[1].content, ["q"]);
        assert!(validate(&messages).is_ok());
        assert!(validate(&messages[1..]).is_err());
    }
}
