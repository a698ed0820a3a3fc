//! Tools and calls in the XML of Qwen3-Coder (`agent_template/qwen3_coder.py`).

use serde_json::Value;

use super::tools::unwrapped;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, str_of};
use crate::masks::trainers::qwen3_coder::{INSTRUCTIONS, described};

/// The system text with the tools.
pub fn tools(tools: &[Value], system: &str) -> String {
    let head = format!("{system}\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>");
    let described =
        tools.iter().map(|tool| described(unwrapped(tool), &|value| dumps(value, PythonJsonStyle::UNICODE)));
    let lines: Vec<String> =
        [head].into_iter().chain(described).chain([format!("</tools>\n\n{INSTRUCTIONS}")]).collect();
    lines.join("\n")
}

/// One call.
pub fn call(name: &Value, arguments: &Value) -> String {
    let mut out = format!("<tool_call>\n<function={}>\n", str_of(name));
    for (key, value) in arguments.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(_) | Value::Number(_) => str_of(value),
            value => dumps(value, PythonJsonStyle::UNICODE),
        };
        out.push_str(&format!("<parameter={key}>\n{value}\n</parameter>\n"));
    }
    out.push_str("</function>\n</tool_call>");
    out
}
