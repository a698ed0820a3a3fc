//! Tools in the XML of Qwen3-Coder, which renderers, ms-swift and XTuner write for several models.

use serde_json::Value;

use super::python_json::str_of;
use crate::python::is_python_space;

/// What the prompt says behind the tools.
pub(super) const INSTRUCTIONS: &str = "If you choose to call a function ONLY reply in the following format with NO \
    suffix:\n\n<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n\
    <parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple \
    lines\n</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified \
    format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n- Required \
    parameters MUST be specified\n- You may provide optional reasoning for your function call in natural language BEFORE \
    the function call, but NOT after\n- If there is no function call available, answer the question like normal with your \
    current knowledge and do not tell the user about function calls\n</IMPORTANT>";

/// One tool as a `<function>`; `value` writes what has no tag of its own.
pub(super) fn described(tool: &Value, value: &dyn Fn(&Value) -> String) -> String {
    let text = |value: &Value| str_of(value).trim_matches(is_python_space).to_string();
    let mut out = format!("<function>\n<name>{}</name>", tool.get("name").map(str_of).unwrap_or_default());
    if let Some(description) = tool.get("description") {
        out.push_str(&format!("\n<description>{}</description>", text(description)));
    }
    out.push_str("\n<parameters>");
    if let Some(parameters) = tool.get("parameters") {
        for (name, fields) in parameters.get("properties").and_then(Value::as_object).into_iter().flatten() {
            out.push_str(&format!("\n<parameter>\n<name>{name}</name>"));
            if let Some(kind) = fields.get("type") {
                out.push_str(&format!("\n<type>{}</type>", str_of(kind)));
            }
            if let Some(description) = fields.get("description") {
                out.push_str(&format!("\n<description>{}</description>", text(description)));
            }
            out.push_str(&others(fields, &["name", "type", "description"], value));
            out.push_str("\n</parameter>");
        }
        out.push_str(&others(parameters, &["type", "properties"], value));
    }
    out.push_str("\n</parameters>");
    out.push_str(&others(tool, &["type", "name", "description", "parameters"], value));
    out.push_str("\n</function>");
    out
}

/// Keys that have no tag of their own.
fn others(fields: &Value, handled: &[&str], value: &dyn Fn(&Value) -> String) -> String {
    let fields = fields.as_object().into_iter().flatten().filter(|(key, _)| !handled.contains(&key.as_str()));
    fields.map(|(key, field)| format!("\n<{key}>{}</{key}>", value(field))).collect()
}
