//! The text of a message's content, as the renderers join it.

use serde_json::Value;

use crate::masks::MaskError;
use crate::masks::trainers::python_json::{repr, str_of, type_name};
use crate::python::is_python_space;

/// The strings and texts of the parts that `keep` holds, joined; white space around them stripped.
///
/// # Errors
/// `ValueError` for a part without text, `TypeError` for a content that is neither a string nor a list.
pub(super) fn content_text(message: &Value, keep: impl Fn(&Value) -> bool) -> Result<String, MaskError> {
    let text = match message.get("content") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let mut text = String::new();
            for part in parts.iter().filter(|part| keep(part)) {
                match (part, part.get("text")) {
                    (Value::String(part), _) => text.push_str(part),
                    (_, Some(part)) => text.push_str(&str_of(part)),
                    _ => {
                        let message = format!("Unexpected content item: {}", repr(part));
                        return Err(MaskError::python("ValueError", message));
                    }
                }
            }
            text
        }
        Some(other) => {
            let message = format!("Unexpected content type: <class '{}'>", type_name(other));
            return Err(MaskError::python("TypeError", message));
        }
    };
    Ok(text.trim_matches(is_python_space).to_string())
}
