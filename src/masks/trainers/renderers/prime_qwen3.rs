//! The `prime-qwen3` renderer (`renderers/prime_qwen3.py`).

use serde_json::{Map, Value};

use super::qwen3::close;
use super::rendered::{ANSWER, BODY, RenderedTokens, SCAFFOLD, Writer};
use super::xml_calls::{argument_text, parameter, parsed};
use crate::masks::trainers::Resources;
use crate::masks::trainers::python_json::{str_of, truthy};
use crate::masks::trainers::qwen3_coder::{self, INSTRUCTIONS};
use crate::masks::{MaskError, role};
use crate::python::is_python_space;

pub(super) const TOKENS: [&str; 9] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
];

/// The system text where tools come without one.
const DEFAULT_SYSTEM: &str =
    "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks.";

fn text_of(message: &Value) -> Result<&str, MaskError> {
    match message.get("content") {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        _ => Err(MaskError::python("TypeError", "PrimeQwen3Renderer only supports string message content.")),
    }
}

fn stripped(text: &str) -> &str {
    text.trim_matches(is_python_space)
}

/// Renders a conversation.
pub(super) fn render(
    resources: &Resources,
    messages: &[Value],
    tools: Option<&[Value]>,
) -> Result<RenderedTokens, MaskError> {
    let mut out = Writer::new(resources);
    let tools = tools.filter(|tools| !tools.is_empty());
    let first = messages.first().filter(|first| role(first) == "system");
    if first.is_some() || tools.is_some() {
        let owner = first.map(|_| 0);
        let (text, kind) = match first {
            Some(first) => (text_of(first)?, BODY),
            None => (DEFAULT_SYSTEM, SCAFFOLD),
        };
        let described = tools.map(described).unwrap_or_default();
        out.special("<|im_start|>", owner, SCAFFOLD);
        out.segments(&[("system\n", SCAFFOLD), (text, kind), (&described, SCAFFOLD)], owner)?;
        close(&mut out, owner)?;
    }
    let start = usize::from(first.is_some());
    for (index, message) in messages.iter().enumerate().skip(start) {
        match role(message) {
            "assistant"
                if message.get("tool_calls").and_then(Value::as_array).is_some_and(|c| !c.is_empty()) =>
            {
                calls(&mut out, message, index)?;
            }
            "assistant" => answer(&mut out, message, index)?,
            "tool" => {
                let is_tool =
                    |at: usize| at >= start && messages.get(at).is_some_and(|other| role(other) == "tool");
                let opens = index > start && !is_tool(index - 1);
                result(&mut out, message, index, opens, !is_tool(index + 1))?;
            }
            role => {
                let owner = Some(index);
                out.special("<|im_start|>", owner, SCAFFOLD);
                out.segments(&[(&format!("{role}\n"), SCAFFOLD), (text_of(message)?, BODY)], owner)?;
                close(&mut out, owner)?;
            }
        }
    }
    Ok(out.rendered)
}

fn close_answer(out: &mut Writer, owner: Option<usize>) -> Result<(), MaskError> {
    out.special("<|im_end|>", owner, ANSWER);
    out.text("\n", owner, SCAFFOLD)
}

fn answer(out: &mut Writer, message: &Value, index: usize) -> Result<(), MaskError> {
    let owner = Some(index);
    let content = text_of(message)?;
    out.special("<|im_start|>", owner, SCAFFOLD);
    match message.get("reasoning_content") {
        Some(reasoning) => {
            out.text("assistant\n", owner, SCAFFOLD)?;
            out.special("<think>", owner, ANSWER);
            if truthy(reasoning) {
                out.text(stripped(&str_of(reasoning)), owner, ANSWER)?;
            }
            out.special("</think>", owner, ANSWER);
            if !stripped(content).is_empty() {
                out.text(&format!("\n{}", stripped(content)), owner, ANSWER)?;
            }
        }
        None => out.segments(&[("assistant\n", SCAFFOLD), (content, ANSWER)], owner)?,
    }
    close_answer(out, owner)
}

fn calls(out: &mut Writer, message: &Value, index: usize) -> Result<(), MaskError> {
    let owner = Some(index);
    let content = stripped(message.get("content").and_then(Value::as_str).unwrap_or_default());
    out.special("<|im_start|>", owner, SCAFFOLD);
    let before = if content.is_empty() { String::new() } else { format!("{content}\n\n") };
    out.segments(&[("assistant\n", SCAFFOLD), (&before, ANSWER)], owner)?;
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, call) in calls.iter().enumerate() {
        let function = call.get("function").filter(|function| function.is_object()).unwrap_or(call);
        let Some(function) = function.as_object() else {
            return Err(MaskError::python("TypeError", "Tool calls must be mappings."));
        };
        out.special("<tool_call>", owner, ANSWER);
        let name = function.get("name").map(str_of).unwrap_or_default();
        let arguments: Map<String, Value> = function.get("arguments").map(parsed).unwrap_or_default();
        let arguments: String = arguments.iter().map(|(name, value)| parameter(name, value)).collect();
        out.text(&format!("\n<function={name}>\n{arguments}</function>\n"), owner, ANSWER)?;
        out.special("</tool_call>", owner, ANSWER);
        if at + 1 < calls.len() {
            out.text("\n", owner, ANSWER)?;
        }
    }
    close_answer(out, owner)
}

fn result(
    out: &mut Writer,
    message: &Value,
    index: usize,
    opens: bool,
    closes: bool,
) -> Result<(), MaskError> {
    let owner = Some(index);
    if opens {
        out.special("<|im_start|>", owner, SCAFFOLD);
        out.text("user\n", owner, SCAFFOLD)?;
    }
    out.special("<tool_response>", owner, SCAFFOLD);
    out.segments(&[("\n", SCAFFOLD), (text_of(message)?, BODY), ("\n", SCAFFOLD)], owner)?;
    out.special("</tool_response>", owner, SCAFFOLD);
    out.text("\n", owner, SCAFFOLD)?;
    if closes { close(out, owner) } else { Ok(()) }
}

fn described(tools: &[Value]) -> String {
    let tools: String = tools.iter().map(tool).collect();
    format!(
        "\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>{tools}\n</tools>\n\n{INSTRUCTIONS}"
    )
}

fn tool(tool: &Value) -> String {
    let tool = tool.get("function").filter(|function| function.is_object()).unwrap_or(tool);
    format!("\n{}", qwen3_coder::described(tool, &argument_text))
}
