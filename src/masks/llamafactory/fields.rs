//! Python's dictionaries as LLaMA-Factory's tool formats read them, with the exceptions of what is none.

use serde_json::{Map, Value};

use crate::masks::MaskError;
use crate::masks::trainers::python_json::type_name;

/// A call: its name and its arguments.
pub type FunctionCall = (Value, Value);

/// True for a tool that stands in the place of `function`.
pub fn is_function_type(tool: &Value) -> bool {
    tool.get("type").and_then(Value::as_str) == Some("function")
}

/// `value.items()`.
pub fn items(value: &Value) -> Result<Map<String, Value>, MaskError> {
    value.as_object().cloned().ok_or_else(|| {
        let message = format!("'{}' object has no attribute 'items'", type_name(value));
        MaskError::python("AttributeError", message)
    })
}

/// `value.get(key)`.
pub fn get<'a>(value: &'a Value, key: &str) -> Result<Option<&'a Value>, MaskError> {
    let fields = value.as_object().ok_or_else(|| {
        let message = format!("'{}' object has no attribute 'get'", type_name(value));
        MaskError::python("AttributeError", message)
    })?;
    Ok(fields.get(key))
}

/// `value[key]`.
pub fn key(value: &Value, key: &'static str) -> Result<Value, MaskError> {
    match value {
        Value::Object(fields) => {
            fields.get(key).cloned().ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
        }
        Value::String(_) => {
            let message = "string indices must be integers, not 'str'";
            Err(MaskError::python("TypeError", message.to_string()))
        }
        Value::Array(_) => {
            let message = "list indices must be integers or slices, not str";
            Err(MaskError::python("TypeError", message.to_string()))
        }
        other => {
            let message = format!("'{}' object is not subscriptable", type_name(other));
            Err(MaskError::python("TypeError", message))
        }
    }
}
