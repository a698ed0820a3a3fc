//! Calls as the newer Qwen renderers write them, in tags of a function and its parameters.

use serde_json::{Map, Value};

use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of};

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
        Value::Array(_) | Value::Object(_) => dumps(value, PythonJsonStyle::UNICODE),
        value => str_of(value),
    }
}

/// One parameter.
pub(super) fn parameter(name: &str, value: &Value) -> String {
    format!("<parameter={name}>\n{}\n</parameter>\n", argument_text(value))
}
