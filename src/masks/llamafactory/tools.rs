//! Tools and calls as LLaMA-Factory's tool formats write them (`data/tool_utils.py`, `FunctionFormatter`).

use serde_json::{Value, json};

use crate::masks::trainers::python_json::{PythonJsonStyle, dumps as python_dumps};
use crate::masks::trainers::xtuner::format::QWEN_TOOLS;
use crate::masks::{MaskError, role};

/// A registered tool format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolFormat {
    /// `QwenToolUtils`: JSON between tags.
    Qwen,
}

impl ToolFormat {
    /// What stands behind the system text; nothing without tools.
    pub fn tools(self, tools: &[Value]) -> String {
        if tools.is_empty() {
            return String::new();
        }
        let wrapped = |tool: &Value| match tool.get("type").and_then(Value::as_str) {
            Some("function") => tool.clone(),
            _ => json!({"type": "function", "function": tool}),
        };
        let lines = tools.iter().map(|tool| format!("\n{}", dumps(&wrapped(tool))));
        QWEN_TOOLS.replacen("{tool_text}", &lines.collect::<String>(), 1)
    }

    /// The calls that a function turn holds as JSON, a thought before them.
    ///
    /// # Errors
    /// Python's exception for what is no call.
    pub fn calls(self, content: &str, [open, close]: [&str; 2]) -> Result<String, MaskError> {
        let thought = content.split_once(open).and_then(|(before, rest)| {
            let (inside, _) = rest.split_once(close)?;
            content.get(before.len()..before.len() + open.len() + inside.len() + close.len())
        });
        let text = thought.map_or(content.to_string(), |thought| content.replace(thought, ""));
        let parsed: Value = serde_json::from_str(&text).map_err(|_| {
            let list = crate::chat::jinja::string_repr(content);
            MaskError::python("RuntimeError", format!("Invalid JSON format in function message: [{list}]."))
        })?;
        let calls = match parsed {
            Value::Array(calls) => calls,
            call => vec![call],
        };
        let key = |call: &Value, key: &'static str| {
            call.get(key).cloned().ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
        };
        let mut written = Vec::with_capacity(calls.len());
        for call in &calls {
            let (name, arguments) = (key(call, "name")?, key(call, "arguments")?);
            let call = dumps(&json!({"name": name, "arguments": arguments}));
            written.push(format!("<tool_call>\n{call}\n</tool_call>"));
        }
        Ok(format!("{}{}", thought.unwrap_or_default(), written.join("\n")))
    }
}

/// True for a turn that calls: ShareGPT's `function_call`, a role of its own, or OpenAI's `tool_calls`.
pub fn is_function(message: &Value) -> bool {
    message.get("from").is_some_and(|from| from == "function_call")
        || role(message) == "function"
        || calls_as_json(message).is_some()
}

/// OpenAI's calls as the converter writes them; what the message says beside them is lost there.
pub fn calls_as_json(message: &Value) -> Option<String> {
    let calls = message.get("tool_calls")?.as_array().filter(|calls| !calls.is_empty())?;
    let functions: Vec<Value> = calls.iter().filter_map(|call| call.get("function").cloned()).collect();
    Some(dumps(&Value::Array(functions)))
}

fn dumps(value: &Value) -> String {
    python_dumps(value, PythonJsonStyle::UNICODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 2] = ["<think>\n", "\n</think>\n\n"];

    #[test]
    fn calls_are_written_between_tags() {
        let one = "{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}";
        let tagged = format!("<tool_call>\n{one}\n</tool_call>");
        assert_eq!(ToolFormat::Qwen.calls(one, WORDS).unwrap(), tagged);
        assert_eq!(
            ToolFormat::Qwen.calls(&format!("[{one}, {one}]"), WORDS).unwrap(),
            format!("{tagged}\n{tagged}")
        );
        let thought = "<think>\nWhich city?\n</think>\n\n";
        assert_eq!(
            ToolFormat::Qwen.calls(&format!("{thought}{one}"), WORDS).unwrap(),
            format!("{thought}{tagged}")
        );
        assert!(ToolFormat::Qwen.calls("no JSON", WORDS).is_err());
        assert!(
            ToolFormat::Qwen.calls("{\"name\": 1}", WORDS).unwrap_err().to_string().contains("'arguments'")
        );
    }

    #[test]
    fn tools_stand_behind_the_system_text() {
        assert_eq!(ToolFormat::Qwen.tools(&[]), "");
        let text = ToolFormat::Qwen.tools(&[json!({"name": "f"})]);
        assert!(
            text.contains("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"f\"}}\n</tools>"),
            "{text}"
        );
    }
}
