//! Calls as the newer Qwen renderers write them, in tags of a function and its parameters.

use serde_json::{Map, Value};

use crate::masks::trainers::python_json::{Style, dumps, str_of};

/// Name and arguments of a call.
pub(super) fn function_of(call: &Value) -> (Value, Value) {
    let function = call.get("function").filter(|function| !function.is_null()).unwrap_or(call);
    let name = function.get("name").cloned().unwrap_or_else(|| "".into());
    let arguments = function.get("arguments").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    (name, arguments)
}

/// Arguments as an object; nothing where they are none.
pub(super) fn parsed(arguments: &Value) -> Map<String, Value> {
    let parsed = match arguments {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        arguments => arguments.clone(),
    };
    parsed.as_object().cloned().unwrap_or_default()
}

/// A value as text: lists and objects as JSON, all else as Python prints it.
pub(super) fn argument_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => dumps(value, Style::UNICODE),
        value => str_of(value),
    }
}

/// One parameter.
pub(super) fn parameter(name: &str, value: &Value) -> String {
    format!("<parameter={name}>\n{}\n</parameter>\n", argument_text(value))
}

/// What the prompt says behind the tools.
pub(super) const INSTRUCTIONS: &str = "\n\nIf you choose to call a function ONLY reply in the following format with NO \
    suffix:\n\n<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n\
    <parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple \
    lines\n</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified \
    format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n- Required \
    parameters MUST be specified\n- You may provide optional reasoning for your function call in natural language BEFORE \
    the function call, but NOT after\n- If there is no function call available, answer the question like normal with your \
    current knowledge and do not tell the user about function calls\n</IMPORTANT>";
