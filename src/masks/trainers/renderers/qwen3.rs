//! The `qwen3` renderer (`renderers/qwen3.py`).

use serde_json::Value;

use super::rendered::{ANSWER, BODY, RenderedTokens, SCAFFOLD, Writer};
use super::xml_calls::function_of;
use crate::masks::trainers::Resources;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of};
use crate::masks::{MaskError, role};
use crate::python::is_python_space;

pub(super) const TOKENS: [&str; 8] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "</think>",
];

const TOOLS_HEADER: &str = "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are \
    provided with function signatures within <tools></tools> XML tags:\n<tools>";

const TOOLS_FOOTER: &str = "\n</tools>\n\nFor each function call, return a json object with function name and arguments \
    within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": \
    <args-json-object>}\n</tool_call>";

/// The texts of a content; other parts are left out.
fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let text = |part: &Value| match part {
                Value::String(text) => text.clone(),
                part => part.get("text").and_then(Value::as_str).unwrap_or_default().to_string(),
            };
            parts.iter().map(text).collect()
        }
        _ => String::new(),
    }
}

/// Whether a user's message is more than a result in tags.
pub(super) fn is_query(message: &Value, text: &str) -> bool {
    let text = text.trim_matches(is_python_space);
    role(message) == "user" && !(text.starts_with("<tool_response>") && text.ends_with("</tool_response>"))
}

/// Thinking and the rest of an answer: the field, or what stands before the first `</think>`.
pub(super) fn split_thinking(message: &Value, content: &str) -> (String, String) {
    let newline = |text: &str| text.trim_matches('\n').to_string();
    if let Some(reasoning) = message.get("reasoning_content").and_then(Value::as_str) {
        return (reasoning.to_string(), content.to_string());
    }
    match content.split_once("</think>") {
        Some((before, after)) => {
            let thinking = before.rsplit("<think>").next().unwrap_or(before);
            (newline(thinking), after.trim_start_matches('\n').to_string())
        }
        None => (String::new(), content.to_string()),
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
    let last_query = messages
        .iter()
        .rposition(|message| is_query(message, &text_of(message)))
        .unwrap_or(messages.len().saturating_sub(1));
    for (index, message) in messages.iter().enumerate() {
        let owner = Some(index);
        let content = text_of(message);
        match role(message) {
            "system" if index == 0 => {}
            role @ ("system" | "user") => {
                out.special("<|im_start|>", owner, SCAFFOLD);
                out.segments(&[(&format!("{role}\n"), SCAFFOLD), (&content, BODY)], owner)?;
                close(&mut out, owner)?;
            }
            "assistant" => {
                let is_last = index + 1 == messages.len();
                let late = |reasoning: &str| index > last_query && (is_last || !reasoning.is_empty());
                answer(&mut out, message, index, &content, &|reasoning| {
                    late(reasoning) || (!thinking && reasoning.is_empty())
                })?;
            }
            "tool" => result(&mut out, messages, index, &content)?,
            _ => {}
        }
    }
    Ok(out.rendered)
}

/// The end of a message that the model does not write.
/// The end of a message.
pub(super) fn close(out: &mut Writer, owner: Option<usize>) -> Result<(), MaskError> {
    out.special("<|im_end|>", owner, SCAFFOLD);
    out.text("\n", owner, SCAFFOLD)
}

fn system(out: &mut Writer, messages: &[Value], tools: Option<&[Value]>) -> Result<(), MaskError> {
    let given = messages.first().filter(|first| role(first) == "system").map(text_of);
    let owner = given.as_ref().map(|_| 0);
    let text = given.clone().unwrap_or_default();
    let mut segments = vec![("system\n", SCAFFOLD)];
    if given.is_some() {
        segments.push((&text, BODY));
    }
    let described;
    match tools {
        Some(tools) => {
            let tool = |tool: &Value| format!("\n{}", dumps(tool, PythonJsonStyle::UNICODE));
            described = format!("{TOOLS_HEADER}{}{TOOLS_FOOTER}", tools.iter().map(tool).collect::<String>());
            if given.is_some() {
                segments.push(("\n\n", SCAFFOLD));
            }
            segments.push((&described, SCAFFOLD));
        }
        None if given.is_none() => return Ok(()),
        None => {}
    }
    out.special("<|im_start|>", owner, SCAFFOLD);
    out.segments(&segments, owner)?;
    close(out, owner)
}

fn answer(
    out: &mut Writer,
    message: &Value,
    index: usize,
    content: &str,
    thinks: &dyn Fn(&str) -> bool,
) -> Result<(), MaskError> {
    let owner = Some(index);
    let (reasoning, content) = split_thinking(message, content);
    out.special("<|im_start|>", owner, SCAFFOLD);
    out.text("assistant\n", owner, SCAFFOLD)?;
    let body = match thinks(&reasoning) {
        true => format!(
            "<think>\n{}\n</think>\n\n{}",
            reasoning.trim_matches('\n'),
            content.trim_start_matches('\n')
        ),
        false => content.clone(),
    };
    let calls = message.get("tool_calls").and_then(Value::as_array).filter(|calls| !calls.is_empty());
    match calls {
        None => out.text(&body, owner, ANSWER)?,
        Some(calls) => {
            for (at, call) in calls.iter().enumerate() {
                match (at, content.is_empty()) {
                    (0, true) => out.text(&body, owner, ANSWER)?,
                    (0, false) => out.text(&format!("{body}\n"), owner, ANSWER)?,
                    _ => out.text("\n", owner, ANSWER)?,
                }
                let (name, arguments) = function_of(call);
                let arguments = match &arguments {
                    Value::String(text) => text.clone(),
                    arguments => dumps(arguments, PythonJsonStyle::UNICODE),
                };
                out.special("<tool_call>", owner, ANSWER);
                let name = str_of(&name);
                let call = format!("\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n");
                out.text(&call, owner, ANSWER)?;
                out.special("</tool_call>", owner, ANSWER);
            }
        }
    }
    out.special("<|im_end|>", owner, ANSWER);
    out.text("\n", owner, SCAFFOLD)
}

/// Whether the message before or behind is a result too.
pub(super) fn neighbours(messages: &[Value], index: usize) -> (bool, bool) {
    let is_tool = |at: Option<usize>| at.and_then(|at| messages.get(at)).is_some_and(|m| role(m) == "tool");
    (is_tool(index.checked_sub(1)), is_tool(Some(index + 1)))
}

/// A tool's result: a run of them is one turn of the user.
pub(super) fn result(
    out: &mut Writer,
    messages: &[Value],
    index: usize,
    content: &str,
) -> Result<(), MaskError> {
    let owner = Some(index);
    let (after_result, before_result) = neighbours(messages, index);
    if !after_result {
        out.special("<|im_start|>", owner, SCAFFOLD);
        out.text("user", owner, SCAFFOLD)?;
    }
    out.text("\n", owner, SCAFFOLD)?;
    out.special("<tool_response>", owner, SCAFFOLD);
    out.segments(&[("\n", SCAFFOLD), (content, BODY), ("\n", SCAFFOLD)], owner)?;
    out.special("</tool_response>", owner, SCAFFOLD);
    if before_result { Ok(()) } else { close(out, owner) }
}
