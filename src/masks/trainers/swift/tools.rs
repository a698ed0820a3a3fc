//! Tools as OpenAI writes them, in a wrapper that names the type, and without it.

use serde_json::Value;

/// The function of a tool.
pub fn unwrapped(tool: &Value) -> &Value {
    match (tool.get("type"), tool.get("function")) {
        (Some(_), Some(function)) => function,
        _ => tool,
    }
}

/// A tool as OpenAI writes it.
pub fn wrapped(tool: &Value) -> Value {
    match tool {
        Value::Object(fields) if !fields.contains_key("type") && !fields.contains_key("function") => {
            serde_json::json!({"type": "function", "function": tool})
        }
        tool => tool.clone(),
    }
}
