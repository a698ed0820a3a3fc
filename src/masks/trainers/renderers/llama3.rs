//! The `llama-3` renderer (`renderers/llama_3.py`).

use serde_json::Value;

use super::content::content_text;
use super::rendered::{ANSWER, BODY, RenderedTokens, SCAFFOLD, Writer};
use super::xml_calls::function_of;
use crate::masks::trainers::Resources;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of};
use crate::masks::{MaskError, role};

pub(super) const TOKENS: [&str; 6] = [
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|eom_id|>",
];

/// How a call is to be written.
const CALL_FORMAT: &str = "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}.Do not \
     use variables.\n\n";

fn text_of(message: &Value) -> Result<String, MaskError> {
    content_text(message, |_| true)
}

fn described(tools: &[Value]) -> String {
    tools.iter().map(|tool| dumps(tool, PythonJsonStyle::UNICODE_INDENT_4) + "\n\n").collect()
}

/// Renders a conversation.
pub(super) fn render(
    resources: &Resources,
    messages: &[Value],
    tools: Option<&[Value]>,
    date: &str,
    tools_in_user_message: bool,
) -> Result<RenderedTokens, MaskError> {
    let mut out = Writer::new(resources);
    out.special("<|begin_of_text|>", None, SCAFFOLD);
    let first = messages.first().filter(|first| role(first) == "system");
    let mut preamble = "\n\n".to_string();
    if tools.is_some() {
        preamble.push_str("Environment: ipython\n");
    }
    preamble.push_str(&format!("Cutting Knowledge Date: December 2023\nToday Date: {date}\n\n"));
    if let Some(tools) = tools.filter(|_| !tools_in_user_message) {
        preamble.push_str(&format!(
            "You have access to the following functions. To call a function, please respond with JSON for a function \
             call.{CALL_FORMAT}{}",
            described(tools)
        ));
    }
    let system = first.map(text_of).transpose()?.unwrap_or_default();
    message(&mut out, "system", &preamble, &system, first.map(|_| 0))?;
    let mut start = usize::from(first.is_some());
    if let Some(tools) = tools.filter(|_| tools_in_user_message) {
        let refused = |message: String| Err(MaskError::python("ValueError", message));
        let Some(user) = messages.get(start) else {
            return refused(
                "Cannot place tools in the first user message — no user message was provided.".into(),
            );
        };
        if role(user) != "user" {
            let role = crate::python::python_repr(role(user));
            return refused(format!(
                "tools_in_user_message=True requires the first non-system message to be 'user'; got {role}."
            ));
        }
        let preamble = format!(
            "\n\nGiven the following functions, please respond with a JSON for a function call with its proper arguments \
             that best answers the given prompt.\n\n{CALL_FORMAT}{}",
            described(tools)
        );
        message(&mut out, "user", &preamble, &text_of(user)?, Some(start))?;
        start += 1;
    }
    for (index, given) in messages.iter().enumerate().skip(start) {
        turn(&mut out, given, index)?;
    }
    Ok(out.rendered)
}

fn header(out: &mut Writer, role: &str, owner: Option<usize>) -> Result<(), MaskError> {
    out.special("<|start_header_id|>", owner, SCAFFOLD);
    out.text(role, owner, SCAFFOLD)?;
    out.special("<|end_header_id|>", owner, SCAFFOLD);
    Ok(())
}

/// A message that the model does not write.
fn message(
    out: &mut Writer,
    role: &str,
    preamble: &str,
    text: &str,
    owner: Option<usize>,
) -> Result<(), MaskError> {
    header(out, role, owner)?;
    out.segments(&[(preamble, SCAFFOLD), (text, BODY)], owner)?;
    out.special("<|eot_id|>", owner, SCAFFOLD);
    Ok(())
}

fn turn(out: &mut Writer, given: &Value, index: usize) -> Result<(), MaskError> {
    let owner = Some(index);
    let role = role(given);
    let calls = given.get("tool_calls").and_then(Value::as_array).filter(|calls| !calls.is_empty());
    let answer = match (role, calls.map(Vec::as_slice)) {
        ("tool" | "ipython", _) => {
            let result = match given.get("content") {
                None | Some(Value::Null) => String::new(),
                Some(content @ (Value::String(_) | Value::Array(_) | Value::Object(_))) => {
                    dumps(content, PythonJsonStyle::UNICODE)
                }
                Some(other) => str_of(other),
            };
            return message(out, "ipython", "\n\n", &result, owner);
        }
        (_, Some([call])) => {
            let (name, arguments) = function_of(call);
            let arguments = match &arguments {
                Value::String(text) => text.clone(),
                arguments => dumps(arguments, PythonJsonStyle::UNICODE),
            };
            format!("{{\"name\": \"{}\", \"parameters\": {arguments}}}", str_of(&name))
        }
        (_, Some(_)) => {
            return Err(MaskError::python(
                "ValueError",
                "Llama-3 chat template only supports a single tool call per assistant message.",
            ));
        }
        ("assistant", None) => text_of(given)?,
        (role, None) => return message(out, role, "\n\n", &text_of(given)?, owner),
    };
    header(out, "assistant", owner)?;
    out.text("\n\n", owner, SCAFFOLD)?;
    out.text(&answer, owner, ANSWER)?;
    out.special("<|eot_id|>", owner, ANSWER);
    Ok(())
}
