//! The `qwen3.5` renderer for text (`renderers/qwen35.py`); a part with an image raises, as it does without Pillow.

use serde_json::Value;

use super::content::content_text;
use super::qwen3::{close, is_query, result, split_thinking};
use super::rendered::{ANSWER, BODY, RenderedTokens, SCAFFOLD, Writer};
use super::xml_calls::{function_of, parameter, parsed};
use crate::masks::trainers::Resources;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of};
use crate::masks::trainers::qwen3_coder::INSTRUCTIONS;
use crate::masks::{MaskError, role};
use crate::python::is_python_space;

pub(super) const TOKENS: [&str; 13] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
];

fn is_media(part: &Value) -> bool {
    let kind = part.get("type").and_then(Value::as_str);
    matches!(kind, Some("image" | "image_url" | "video" | "video_url"))
}

/// The text of a content, media left out.
fn text_of(message: &Value) -> Result<String, MaskError> {
    content_text(message, |part| !is_media(part))
}

/// Media of users and tools would be loaded.
fn refuse_media(message: &Value) -> Result<(), MaskError> {
    let parts = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match parts.iter().find(|part| is_media(part)) {
        None => Ok(()),
        Some(part)
            if part.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("video")) =>
        {
            Err(MaskError::python(
                "NotImplementedError",
                "Video parts are not yet supported by Qwen35Renderer.",
            ))
        }
        Some(_) => Err(MaskError::python(
            "RuntimeError",
            "Pillow is required for multimodal rendering. Install with `pip install Pillow` (or `pip install \
             renderers[multimodal]`).",
        )),
    }
}

/// Renders a conversation.
pub(super) fn render(
    resources: &Resources,
    messages: &[Value],
    tools: Option<&[Value]>,
    thinking: bool,
) -> Result<RenderedTokens, MaskError> {
    let mut out = Writer::new(resources);
    system(&mut out, messages, tools.filter(|tools| !tools.is_empty()))?;
    let texts = messages.iter().map(text_of).collect::<Result<Vec<_>, _>>()?;
    let query = |at: &usize| match (messages.get(*at), texts.get(*at)) {
        (Some(message), Some(text)) => is_query(message, text),
        _ => false,
    };
    let last_query = (0..messages.len()).rev().find(query).unwrap_or(messages.len());
    for (index, (message, content)) in messages.iter().zip(&texts).enumerate() {
        let owner = Some(index);
        match role(message) {
            "system" if index == 0 => {}
            "system" => {
                return Err(MaskError::python("ValueError", "System message must be at the beginning."));
            }
            "user" => {
                refuse_media(message)?;
                out.special("<|im_start|>", owner, SCAFFOLD);
                out.segments(&[("user\n", SCAFFOLD), (content, BODY)], owner)?;
                close(&mut out, owner)?;
            }
            "assistant" => answer(&mut out, message, index, content, last_query, thinking)?,
            "tool" => {
                refuse_media(message)?;
                result(&mut out, messages, index, content)?;
            }
            other => {
                return Err(MaskError::python("ValueError", format!("Unexpected message role: {other}")));
            }
        }
    }
    Ok(out.rendered)
}

fn system(out: &mut Writer, messages: &[Value], tools: Option<&[Value]>) -> Result<(), MaskError> {
    let first = messages.first().filter(|first| role(first) == "system");
    let owner = first.map(|_| 0);
    let text = first.map(text_of).transpose()?;
    let (mut segments, described) = (vec![("system\n", SCAFFOLD)], tools.map(described));
    match (&described, &text) {
        (None, None) => return Ok(()),
        (None, Some(text)) => segments.push((text, BODY)),
        (Some(described), text) => {
            segments.push((described, SCAFFOLD));
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                segments.push(("\n\n", SCAFFOLD));
                segments.push((text, BODY));
            }
        }
    }
    out.special("<|im_start|>", owner, SCAFFOLD);
    out.segments(&segments, owner)?;
    close(out, owner)
}

fn described(tools: &[Value]) -> String {
    let tool = |tool: &Value| format!("\n{}", dumps(tool, PythonJsonStyle::UNICODE));
    let tools: String = tools.iter().map(tool).collect();
    format!(
        "# Tools\n\nYou have access to the following functions:\n\n<tools>{tools}\n</tools>\n\n{INSTRUCTIONS}"
    )
}

fn answer(
    out: &mut Writer,
    message: &Value,
    index: usize,
    content: &str,
    last_query: usize,
    thinking: bool,
) -> Result<(), MaskError> {
    let owner = Some(index);
    let (reasoning, content) = split_thinking(message, content);
    let reasoning = reasoning.trim_matches(is_python_space);
    out.special("<|im_start|>", owner, SCAFFOLD);
    out.text("assistant\n", owner, SCAFFOLD)?;
    if index > last_query || (!thinking && reasoning.is_empty()) {
        out.special("<think>", owner, ANSWER);
        out.text(&format!("\n{reasoning}\n"), owner, ANSWER)?;
        out.special("</think>", owner, ANSWER);
        out.text(&format!("\n\n{content}"), owner, ANSWER)?;
    } else {
        out.text(&content, owner, ANSWER)?;
    }
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, call) in calls.iter().enumerate() {
        let (name, arguments) = function_of(call);
        match at {
            0 if content.trim_matches(is_python_space).is_empty() => {}
            0 => out.text("\n\n", owner, ANSWER)?,
            _ => out.text("\n", owner, ANSWER)?,
        }
        out.special("<tool_call>", owner, ANSWER);
        out.text(&format!("\n<function={}>\n", str_of(&name)), owner, ANSWER)?;
        for (name, value) in &parsed(&arguments) {
            out.text(&parameter(name, value), owner, ANSWER)?;
        }
        out.text("</function>\n", owner, ANSWER)?;
        out.special("</tool_call>", owner, ANSWER);
    }
    out.special("<|im_end|>", owner, ANSWER);
    out.text("\n", owner, SCAFFOLD)
}
