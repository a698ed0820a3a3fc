//! The `deepseek-v3` and `deepseek-r1` renderers (`renderers/deepseek_v3.py`, `deepseek_r1.py`).

use serde_json::Value;

use super::qwen3::neighbours;
use super::rendered::{ANSWER, BODY, RenderedTokens, SCAFFOLD, Writer};
use super::xml_calls::function_of;
use crate::masks::trainers::Resources;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of, truthy};
use crate::masks::{MaskError, role};

pub(super) const TOKENS: [&str; 13] = [
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁outputs▁begin｜>",
    "<｜tool▁outputs▁end｜>",
    "<｜tool▁output▁begin｜>",
    "<｜tool▁output▁end｜>",
];

/// The texts of all parts of a content.
fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")).map(str_of).collect(),
        Some(content) if truthy(content) => str_of(content),
        _ => String::new(),
    }
}

/// An answer's text; R1 keeps what follows the last `</think>`.
fn answer_text(message: &Value, reasons: bool) -> String {
    let text = match message.get("content") {
        Some(Value::Array(parts)) => {
            let part = |part: &Value| match part.get("type").and_then(Value::as_str) {
                Some("text") => part.get("text").map(str_of).unwrap_or_default(),
                Some("thinking") if reasons => {
                    format!("<think>{}</think>", part.get("thinking").map(str_of).unwrap_or_default())
                }
                _ => String::new(),
            };
            parts.iter().map(part).collect()
        }
        _ => text_of(message),
    };
    match reasons {
        true => text.rsplit("</think>").next().unwrap_or_default().to_string(),
        false => text,
    }
}

/// Renders a conversation.
pub(super) fn render(
    resources: &Resources,
    messages: &[Value],
    reasons: bool,
) -> Result<RenderedTokens, MaskError> {
    let mut out = Writer::new(resources);
    out.special("<｜begin▁of▁sentence｜>", None, SCAFFOLD);
    let systems = messages.iter().take_while(|message| role(message) == "system").count();
    if systems > 0 {
        let texts: Vec<String> = messages.iter().take(systems).map(text_of).collect();
        out.text(&texts.join("\n\n"), Some(0), BODY)?;
    }
    for (index, message) in messages.iter().enumerate().skip(systems) {
        let owner = Some(index);
        match role(message) {
            "system" | "user" => {
                out.special("<｜User｜>", owner, SCAFFOLD);
                out.text(&text_of(message), owner, BODY)?;
            }
            "assistant" => answer(&mut out, messages, index, reasons)?,
            "tool" => {
                let (after_result, before_result) = neighbours(messages, index);
                if !after_result {
                    out.special("<｜tool▁outputs▁begin｜>", owner, SCAFFOLD);
                }
                out.special("<｜tool▁output▁begin｜>", owner, SCAFFOLD);
                out.text(&text_of(message), owner, BODY)?;
                out.special("<｜tool▁output▁end｜>", owner, SCAFFOLD);
                if !before_result {
                    out.special("<｜tool▁outputs▁end｜>", owner, SCAFFOLD);
                }
            }
            _ => {}
        }
    }
    Ok(out.rendered)
}

fn answer(out: &mut Writer, messages: &[Value], index: usize, reasons: bool) -> Result<(), MaskError> {
    let Some(message) = messages.get(index) else { return Ok(()) };
    let owner = Some(index);
    if !neighbours(messages, index).0 {
        out.special("<｜Assistant｜>", owner, SCAFFOLD);
    }
    out.text(&answer_text(message, reasons), owner, ANSWER)?;
    let calls = message.get("tool_calls").and_then(Value::as_array).filter(|calls| !calls.is_empty());
    if let Some(calls) = calls {
        out.special("<｜tool▁calls▁begin｜>", owner, ANSWER);
        for call in calls {
            let (name, arguments) = function_of(call);
            let arguments = match &arguments {
                Value::String(text) => text.clone(),
                arguments => dumps(arguments, PythonJsonStyle::UNICODE),
            };
            out.special("<｜tool▁call▁begin｜>", owner, ANSWER);
            out.text("function", owner, ANSWER)?;
            out.special("<｜tool▁sep｜>", owner, ANSWER);
            out.text(&format!("{}\n```json\n{arguments}\n```", str_of(&name)), owner, ANSWER)?;
            out.special("<｜tool▁call▁end｜>", owner, ANSWER);
        }
        out.special("<｜tool▁calls▁end｜>", owner, ANSWER);
    }
    out.special("<｜end▁of▁sentence｜>", owner, ANSWER);
    Ok(())
}
