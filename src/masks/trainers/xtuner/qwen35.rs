//! XTuner's renderer for Qwen 3.5 (`v1/data_proto/messages/qwen35_chat.py`): the whole conversation as one text, with a
//! flag a character; a token is supervised where one of its characters is.

use serde_json::{Map, Value};

use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of, truthy, type_name};
use crate::masks::trainers::qwen3_coder::INSTRUCTIONS;
use crate::masks::trainers::{Resources, TrainingSequence};
use crate::masks::{MaskError, role};
use crate::python::is_python_space;

/// A text with a flag a character.
#[derive(Default)]
struct Flagged {
    text: String,
    supervised: Vec<bool>,
}

impl Flagged {
    fn push(&mut self, text: &str, supervised: bool) {
        self.text.push_str(text);
        self.supervised.resize(self.supervised.len() + text.chars().count(), supervised);
    }
}

/// A content as text, with places for media.
fn content_text(message: &Value) -> Result<String, MaskError> {
    let content = message.get("content").ok_or_else(|| MaskError::python("KeyError", "'content'"))?;
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        other => {
            let kind = type_name(other);
            return Err(MaskError::python("TypeError", format!("'{kind}' object is not iterable")));
        }
    };
    let mut text = String::new();
    for part in parts {
        let kind = part.get("type").and_then(Value::as_str);
        let has = |key: &str| part.get(key).is_some();
        if has("image") || has("image_url") || kind == Some("image") {
            text.push_str("<|vision_start|><|image_pad|><|vision_end|>");
        } else if has("video") || has("video_url") || matches!(kind, Some("video" | "video_url")) {
            text.push_str(&video(part)?);
        } else if let Some(piece) = part.get("text") {
            text.push_str(&str_of(piece));
        }
    }
    Ok(text)
}

fn video(part: &Value) -> Result<String, MaskError> {
    const FRAME: &str = "<|vision_start|><|video_pad|><|vision_end|>";
    let content = part.get("video").or(part.get("video_url"));
    let list = |key: &str| {
        let values = content.and_then(|content| content.get(key)).and_then(Value::as_array);
        values.map(Vec::as_slice).unwrap_or_default()
    };
    let seconds = |value: &Value| value.as_f64().unwrap_or_default();
    let stamps = list("timestamps");
    let mut text: String =
        stamps.iter().map(|stamp| format!("<{:.1} seconds>{FRAME}", seconds(stamp))).collect();
    if stamps.is_empty() {
        let frames = content.and_then(|content| content.get("num_frames"));
        if frames.is_none() {
            return Err(MaskError::python("AssertionError", "num_frames must be in video_content"));
        }
        text.push_str(&FRAME.repeat(list("num_frames").len()));
    }
    if let [start, end, ..] = list("conversation_timestamps") {
        text.push_str(&format!("<{:.1}-{:.1} seconds>", seconds(start), seconds(end)));
    }
    Ok(text)
}

fn stripped(message: &Value) -> Result<String, MaskError> {
    Ok(content_text(message)?.trim_matches(is_python_space).to_string())
}

/// `Qwen35ChatMessages.tokenize`.
pub(super) fn tokenize(
    resources: &Resources,
    messages: &[Value],
    tools: &[Value],
) -> Result<TrainingSequence, MaskError> {
    if let [only] = messages
        && role(only) == "pretrain"
    {
        let mut sequence = TrainingSequence::default();
        sequence.push(resources.ids(&content_text(only)?)?, true);
        return Ok(sequence);
    }
    let mut out = Flagged::default();
    system(&mut out, messages, tools)?;
    let mut last_query = messages.len().saturating_sub(1);
    for (index, message) in messages.iter().enumerate().rev().filter(|(_, message)| role(message) == "user") {
        let text = stripped(message)?;
        if !(text.starts_with("<tool_response>") && text.ends_with("</tool_response>")) {
            last_query = index;
            break;
        }
    }
    let thinks = messages.iter().any(|message| message.get("reasoning_content").is_some());
    let is_tool = |at: usize| messages.get(at).is_some_and(|message| role(message) == "tool");
    for (index, message) in messages.iter().enumerate() {
        let content = stripped(message)?;
        match role(message) {
            role @ ("user" | "system") if role == "user" || index > 0 => {
                out.push(&format!("<|im_start|>{role}\n{content}<|im_end|>\n"), false);
            }
            "assistant" => answer(&mut out, message, content, index > last_query, thinks)?,
            "tool" => {
                if index == 0 || !is_tool(index - 1) {
                    out.push("<|im_start|>user", false);
                }
                out.push(&format!("\n<tool_response>\n{content}\n</tool_response>"), false);
                if !is_tool(index + 1) {
                    out.push("<|im_end|>\n", false);
                }
            }
            _ => {}
        }
    }
    let encoded = resources.encoder.encode(&out.text, false)?;
    let target = |(start, end): &(usize, usize)| {
        out.supervised.get(*start..*end).is_some_and(|flags| flags.contains(&true))
    };
    let targets = encoded.offsets.iter().map(target).collect();
    Ok(TrainingSequence::new(encoded.ids, targets))
}

fn system(out: &mut Flagged, messages: &[Value], tools: &[Value]) -> Result<(), MaskError> {
    let given = messages.first().filter(|first| role(first) == "system").map(stripped).transpose()?;
    if tools.is_empty() {
        if let Some(text) = given {
            out.push(&format!("<|im_start|>system\n{text}<|im_end|>\n"), false);
        }
        return Ok(());
    }
    let tools: String =
        tools.iter().map(|tool| format!("\n{}", dumps(tool, PythonJsonStyle::UNICODE))).collect();
    out.push("<|im_start|>system\n# Tools\n\nYou have access to the following functions:\n\n<tools>", false);
    out.push(&format!("{tools}\n</tools>\n\n{INSTRUCTIONS}"), false);
    if let Some(text) = given.filter(|text| !text.is_empty()) {
        out.push(&format!("\n\n{text}"), false);
    }
    out.push("<|im_end|>\n", false);
    Ok(())
}

fn answer(
    out: &mut Flagged,
    message: &Value,
    mut content: String,
    behind_query: bool,
    thinks: bool,
) -> Result<(), MaskError> {
    let mut reasoning = String::new();
    if let Some(given) = message.get("reasoning_content").and_then(Value::as_str) {
        reasoning = given.to_string();
    } else if content.contains("</think>") {
        let before = content.split("</think>").next().unwrap_or_default().trim_end_matches('\n');
        reasoning = before.rsplit("<think>").next().unwrap_or_default().trim_start_matches('\n').to_string();
        content = content.rsplit("</think>").next().unwrap_or_default().trim_start_matches('\n').to_string();
    }
    let reasoning = reasoning.trim_matches(is_python_space);
    let supervised = message.get("loss").is_none_or(truthy);
    out.push("<|im_start|>assistant\n", false);
    // In history, where reasoning was in the data, nothing is supervised.
    let body = supervised && (behind_query || !thinks);
    if behind_query {
        out.push("<think>\n", false);
        if reasoning.is_empty() {
            out.push("\n", false);
            out.push("</think>\n\n", supervised && thinks);
        } else {
            out.push(&format!("{reasoning}\n</think>\n\n"), supervised);
        }
    }
    out.push(&content, body);
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, call) in calls.iter().enumerate() {
        let function = call.get("function").unwrap_or(call);
        let name = function.get("name").ok_or_else(|| MaskError::python("KeyError", "'name'"))?;
        match at {
            0 if content.trim_matches(is_python_space).is_empty() => {}
            0 => out.push("\n\n", body),
            _ => out.push("\n", body),
        }
        // Arguments as a JSON text are left out.
        let arguments = function.get("arguments").and_then(Value::as_object);
        let arguments = arguments.map(parameters).unwrap_or_default();
        let name = str_of(name);
        out.push(&format!("<tool_call>\n<function={name}>\n{arguments}</function>\n</tool_call>"), body);
    }
    out.push("<|im_end|>\n", body);
    Ok(())
}

fn parameters(arguments: &Map<String, Value>) -> String {
    let parameter = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Array(_) | Value::Object(_) => dumps(value, PythonJsonStyle::UNICODE),
            value => str_of(value),
        };
        format!("<parameter={name}>\n{value}\n</parameter>\n")
    };
    arguments.iter().map(parameter).collect()
}
