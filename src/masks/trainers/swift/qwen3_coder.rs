//! Tools and calls in the XML of Qwen3-Coder (`agent_template/qwen3_coder.py`).

use serde_json::Value;

use super::tools::unwrapped;
use crate::masks::trainers::python_json::{Style, dumps, str_of};

/// What the prompt says behind the list of tools.
const AFTER_TOOLS: &str = "</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO \
    suffix:\n\n<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n\
    <parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple \
    lines\n</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified \
    format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n- Required \
    parameters MUST be specified\n- You may provide optional reasoning for your function call in natural language BEFORE \
    the function call, but NOT after\n- If there is no function call available, answer the question like normal with your \
    current knowledge and do not tell the user about function calls\n</IMPORTANT>";

/// The system text with the tools.
pub fn tools(tools: &[Value], system: &str) -> String {
    let head = format!("{system}\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>");
    let described = tools.iter().map(|tool| described(unwrapped(tool)));
    let lines: Vec<String> = [head].into_iter().chain(described).chain([AFTER_TOOLS.to_string()]).collect();
    lines.join("\n")
}

fn stripped(value: &Value) -> String {
    str_of(value).trim_matches(crate::python::is_python_space).to_string()
}

fn described(tool: &Value) -> String {
    let mut out = format!("<function>\n<name>{}</name>", tool.get("name").map(str_of).unwrap_or_default());
    if let Some(description) = tool.get("description") {
        out.push_str(&format!("\n<description>{}</description>", stripped(description)));
    }
    out.push_str("\n<parameters>");
    let parameters = tool.get("parameters");
    let properties =
        parameters.and_then(|parameters| parameters.get("properties")).and_then(Value::as_object);
    for (name, fields) in properties.into_iter().flatten() {
        out.push_str(&format!("\n<parameter>\n<name>{name}</name>"));
        if let Some(kind) = fields.get("type") {
            out.push_str(&format!("\n<type>{}</type>", str_of(kind)));
        }
        if let Some(description) = fields.get("description") {
            out.push_str(&format!("\n<description>{}</description>", stripped(description)));
        }
        out.push_str(&others(fields, &["name", "type", "description"]));
        out.push_str("\n</parameter>");
    }
    out.push_str(&parameters.map(|fields| others(fields, &["type", "properties"])).unwrap_or_default());
    out.push_str("\n</parameters>");
    out.push_str(&others(tool, &["type", "name", "description", "parameters"]));
    out.push_str("\n</function>");
    out
}

/// Keys that have no tag of their own.
fn others(fields: &Value, handled: &[&str]) -> String {
    let fields = fields.as_object().into_iter().flatten().filter(|(key, _)| !handled.contains(&key.as_str()));
    fields.map(|(key, value)| format!("\n<{key}>{}</{key}>", dumps(value, Style::UNICODE))).collect()
}

/// One call.
pub fn call(name: &Value, arguments: &Value) -> String {
    let mut out = format!("<tool_call>\n<function={}>\n", str_of(name));
    for (key, value) in arguments.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(_) | Value::Number(_) => str_of(value),
            value => dumps(value, Style::UNICODE),
        };
        out.push_str(&format!("<parameter={key}>\n{value}\n</parameter>\n"));
    }
    out.push_str("</function>\n</tool_call>");
    out
}
