//! Columns of a row that are put together: prompt and completion, as lists of messages or as texts.

use serde_json::Value;

use super::python_json::type_name;
use crate::masks::MaskError;

/// The items of a list; nothing for another value.
pub fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// `prompt + completion` of two lists of messages.
///
/// # Errors
/// `TypeError`, as Python's addition raises.
pub fn concatenated(prompt: &Value, completion: &Value) -> Result<Vec<Value>, MaskError> {
    match (prompt, completion) {
        (Value::Array(prompt), Value::Array(completion)) => Ok([prompt.as_slice(), completion].concat()),
        (Value::Array(_), other) => Err(cannot_concatenate("list", other)),
        (_, other) => Err(cannot_concatenate("str", other)),
    }
}

/// Two texts that Python adds to each other.
///
/// # Errors
/// As [`concatenated`].
pub fn texts<'t>(prompt: &'t Value, completion: &'t Value) -> Result<(&'t str, &'t str), MaskError> {
    match (prompt, completion) {
        (Value::String(prompt), Value::String(completion)) => Ok((prompt, completion)),
        (Value::String(_), other) => Err(cannot_concatenate("str", other)),
        (other, _) => Err(cannot_concatenate("str", other)),
    }
}

fn cannot_concatenate(kind: &str, other: &Value) -> MaskError {
    let other = type_name(other);
    MaskError::python("TypeError", format!("can only concatenate {kind} (not \"{other}\") to {kind}"))
}
