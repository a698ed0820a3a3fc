//! XTuner v1 (snapshot b934f46): `OpenaiTokenizeFunction` (`v1/datasets/sft_tokenize_fn/openai.py`,
//! `v1/data_proto/messages/chat.py`).
//!
//! Messages are written by formats of XTuner's own ([`mod@format`]), each tokenised by itself; a user's message has the header
//! of the answer, so an answer is its text and the end of its turn. `qwen3.5-vl` is another renderer ([`qwen35`]).

pub mod format;
pub mod qwen35;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::format::XtunerFormat;
use super::python_json::{PythonJsonStyle, dumps, str_of, type_name};
use super::{PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::MaskError;

/// Arguments of `OpenaiTokenizeFunctionConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XtunerOptions {
    /// `chat_template`, the name of a format.
    pub template: String,
    pub max_length: Option<usize>,
}

/// The tokenize function.
#[derive(Debug)]
pub struct TokenizeFunction<'a> {
    resources: Resources<'a>,
    options: XtunerOptions,
    /// `None` for the renderer of Qwen 3.5.
    format: Option<XtunerFormat>,
}

impl<'a> TokenizeFunction<'a> {
    /// The function of a format.
    ///
    /// # Errors
    /// A name that is not known here.
    pub fn new(resources: Resources<'a>, options: XtunerOptions) -> Result<Self, MaskError> {
        let format = match options.template.as_str() {
            "qwen3.5-vl" => None,
            name => Some(XtunerFormat::named(name, resources.clock)?),
        };
        Ok(Self { resources, options, format })
    }
}

impl RowPreparer for TokenizeFunction<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let given = row.get("messages").or(row.get("dialogs")).and_then(Value::as_array);
        let given = given.map(Vec::as_slice).unwrap_or_default();
        if given.is_empty() {
            return Ok(PreparedRow::dropped("no messages"));
        }
        let tools = match row.get("tools") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(tools)) if tools.iter().all(Value::is_object) => tools.as_slice(),
            Some(_) => return Err(invalid("tools")),
        };
        let mut sequence = match &self.format {
            Some(format) => messages(&self.resources, format, given, tools)?,
            None => qwen35::tokenize(&self.resources, given, tools)?,
        };
        if let Some(max) = self.options.max_length {
            sequence.cut(0..max);
        }
        Ok(PreparedRow::one(sequence))
    }
}

/// What pydantic refuses; its words are its own.
fn invalid(place: &str) -> MaskError {
    MaskError::python("ValidationError", format!("validation error for ChatMessages at {place}"))
}

/// `ChatMsg`.
#[derive(Debug, Clone)]
struct Message {
    role: String,
    text: String,
    /// The content was one text.
    is_text: bool,
    tool_calls: Option<Vec<Value>>,
    thinking: Option<String>,
    loss: bool,
}

impl Message {
    fn system(text: String) -> Self {
        Self { role: "system".into(), text, is_text: true, tool_calls: None, thinking: None, loss: false }
    }

    fn read(index: usize, given: &Value) -> Result<Self, MaskError> {
        let refused = |key: &str| invalid(&format!("messages.{index}.{key}"));
        let fields = given.as_object().ok_or_else(|| refused("model_type"))?;
        let known = [
            "role",
            "content",
            "reasoning_content",
            "tool_calls",
            "loss",
            "thinking",
            "name",
            "meta",
            "tool_call_id",
        ];
        if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(refused(key));
        }
        let optional = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(refused(key)),
        };
        let role = optional("role")?.ok_or_else(|| refused("role"))?;
        if !["assistant", "user", "system", "developer", "pretrain", "tool"].contains(&role.as_str()) {
            return Err(refused("role"));
        }
        for key in ["reasoning_content", "name", "tool_call_id"] {
            optional(key)?;
        }
        let thinking = optional("thinking")?;
        if thinking.is_some() && role != "assistant" {
            return Err(refused("thinking"));
        }
        let (text, is_text) = match fields.get("content") {
            Some(Value::String(text)) => (text.clone(), true),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().map(|part| part_text(part).ok_or_else(|| refused("content")));
                (texts.collect::<Result<String, _>>()?, false)
            }
            _ => return Err(refused("content")),
        };
        let tool_calls = match fields.get("tool_calls") {
            None | Some(Value::Null) => None,
            Some(Value::Array(calls)) if calls.iter().all(Value::is_object) => Some(calls.clone()),
            Some(_) => return Err(refused("tool_calls")),
        };
        let loss = match fields.get("loss") {
            None | Some(Value::Null) => role == "assistant" || role == "pretrain",
            Some(flag) => flag.as_bool().ok_or_else(|| refused("loss"))?,
        };
        Ok(Self { role, text, is_text, tool_calls, thinking, loss })
    }

    /// The text of an answer with its calls.
    fn answer(&self) -> Result<String, MaskError> {
        let Some(calls) = &self.tool_calls else { return Ok(self.text.clone()) };
        let calls = calls.iter().map(call_text).collect::<Result<Vec<_>, _>>()?.join("\n");
        let line = if self.text.is_empty() || self.text.ends_with("\n\n") { "" } else { "\n" };
        Ok(format!("{}{line}{calls}", self.text))
    }

    fn decorated(&self, format: &XtunerFormat) -> Result<String, MaskError> {
        match self.role.as_str() {
            "system" => Ok(format.system(&self.text)),
            "developer" => format.developer(&self.text),
            "user" => Ok(format.user(&self.text)),
            "tool" => format.tool(&self.text),
            "assistant" => {
                let text = self.answer()?;
                let thinking =
                    self.thinking.as_ref().map(|thinking| format.thinking(thinking)).transpose()?;
                Ok(thinking.unwrap_or_default() + &format.assistant(&text, self.loss))
            }
            _ => Ok(self.text.clone()),
        }
    }
}

/// The text of a part; media are nothing. `None` for a part of another shape.
fn part_text(part: &Value) -> Option<String> {
    let fields = part.as_object()?;
    let kind = fields.get("type").and_then(Value::as_str);
    match kind {
        Some("image_url") | Some("video_url") => fields.get(kind?)?.get("url").map(|_| String::new()),
        None | Some("text") => Some(fields.get("text")?.as_str()?.to_string()),
        Some(_) => None,
    }
}

fn call_text(call: &Value) -> Result<String, MaskError> {
    let missing = |key: &str| MaskError::python("KeyError", format!("'{key}'"));
    let function = call.get("function").ok_or_else(|| missing("function"))?;
    let name = function.get("name").ok_or_else(|| missing("name"))?;
    let arguments = function.get("arguments").ok_or_else(|| missing("arguments"))?;
    let Some(text) = arguments.as_str() else {
        let kind = type_name(arguments);
        let message = format!("the JSON object must be str, bytes or bytearray, not {kind}");
        return Err(MaskError::python("TypeError", message));
    };
    let arguments: Value = serde_json::from_str(text)
        .map_err(|error| MaskError::python("JSONDecodeError", format!("arguments: {error}")))?;
    let call = serde_json::json!({"name": name, "arguments": arguments});
    Ok(format!("<tool_call>\n{}\n</tool_call>", dumps(&call, PythonJsonStyle::UNICODE)))
}

/// `process_message` and `ChatMessages.tokenize`.
fn messages(
    resources: &Resources,
    format: &XtunerFormat,
    given: &[Value],
    tools: &[Value],
) -> Result<TrainingSequence, MaskError> {
    let mut messages = given
        .iter()
        .enumerate()
        .map(|(at, given)| Message::read(at, given))
        .collect::<Result<Vec<_>, _>>()?;
    let first_is_system = messages.first().is_some_and(|first| first.role == "system");
    if let Some(system) = format.default_system.clone().filter(|_| !first_is_system) {
        messages.insert(0, Message::system(system));
    }
    let last = messages.len().saturating_sub(1);
    let last_answers = messages.last().is_some_and(|last| last.role == "assistant");
    for message in messages.iter_mut().take(last) {
        message.thinking = None;
        if format.only_last_assistant_loss && last_answers && message.role == "assistant" {
            message.loss = false;
        }
    }
    if !tools.is_empty() {
        add_tools(format, &mut messages, tools)?;
    }
    let mut sequence = TrainingSequence::default();
    for message in &messages {
        sequence.push(resources.ids(&message.decorated(format)?)?, message.loss);
        if message.role == "assistant" && !format.sep.is_empty() {
            sequence.push(resources.ids(format.sep)?, false);
        }
    }
    Ok(sequence)
}

fn add_tools(format: &XtunerFormat, messages: &mut Vec<Message>, tools: &[Value]) -> Result<(), MaskError> {
    let Some(prompt) = format.tool_prompt else {
        return Err(MaskError::python("AssertionError", "tool_prompt must be set in chat_template."));
    };
    let tool = |tool: &Value| {
        let wrapped = match tool.get("type").map(str_of).as_deref() {
            Some("function") => tool.clone(),
            _ => serde_json::json!({"type": "function", "function": tool}),
        };
        format!("\n{}", dumps(&wrapped, PythonJsonStyle::UNICODE))
    };
    let text = prompt.replace("{tool_text}", &tools.iter().map(tool).collect::<String>());
    match messages.first_mut() {
        Some(first) if first.role == "system" && first.is_text => first.text.push_str(&text),
        Some(first) if first.role == "system" => {
            return Err(MaskError::python("AssertionError", "system message content must be str."));
        }
        _ => messages.insert(0, Message::system(text)),
    }
    Ok(())
}
