//! Gemma 4's tools and calls as LLaMA-Factory 0.9.5 writes them (`Gemma4ToolUtils` of `data/tool_utils.py`): neither JSON nor
//! XML, texts stand between `<|"|>`.

use serde_json::{Map, Value};

use super::fields::{FunctionCall, get, is_function_type, items, key};
use crate::masks::MaskError;
use crate::masks::trainers::python_json::{str_of, truthy, type_name};

/// Stands before and behind a text.
const QUOTE: &str = "<|\"|>";

/// `tool_formatter`.
///
/// # Errors
/// Python's exception for a tool that cannot be written.
pub fn tools(tools: &[Value]) -> Result<String, MaskError> {
    let mut declarations = Vec::with_capacity(tools.len());
    for tool in tools {
        get(tool, "type")?;
        let function = match is_function_type(tool) {
            true => tool.get("function").unwrap_or(tool),
            false => tool,
        };
        let name = str_of(&key(function, "name")?);
        let description = get(function, "description")?.map(str_of).unwrap_or_default();
        let mut text = format!("declaration:{name}{{{}", described(&description));
        if let Some(parameters) = get(function, "parameters")?.filter(|parameters| truthy(parameters)) {
            text += &format!(",parameters:{{{}}}", parameters_of(parameters)?);
        }
        if let Some(response) = get(function, "response")?.filter(|response| truthy(response)) {
            let mut parts = Vec::new();
            if let Some(description) = get(response, "description")?.filter(|text| truthy(text)) {
                parts.push(described(&str_of(description)));
            }
            if get(response, "type")?
                .map(|kind| str_of(kind).to_uppercase())
                .is_some_and(|kind| kind == "OBJECT")
            {
                parts.push(typed("OBJECT"));
            }
            text += &format!(",response:{{{}}}", parts.join(","));
        }
        declarations.push(text + "}");
    }
    Ok(declarations.join("\n"))
}

fn described(description: &str) -> String {
    format!("description:{QUOTE}{description}{QUOTE}")
}

fn typed(kind: &str) -> String {
    format!("type:{QUOTE}{kind}{QUOTE}")
}

fn parameters_of(parameters: &Value) -> Result<String, MaskError> {
    let given = |name: &str| Ok::<_, MaskError>(get(parameters, name)?.filter(|value| truthy(value)));
    let mut parts = Vec::new();
    if let Some(properties) = given("properties")? {
        let mut all = Vec::new();
        for (name, schema) in items(properties)? {
            let mut parts = Vec::new();
            if let Some(description) = get(&schema, "description")?.filter(|text| truthy(text)) {
                parts.push(described(&str_of(description)));
            }
            if let Some(kind) = get(&schema, "type")?.filter(|kind| truthy(kind)) {
                parts.push(typed(&str_of(kind).to_uppercase()));
            }
            all.push(format!("{name}:{{{}}}", parts.join(",")));
        }
        parts.push(format!("properties:{{{}}}", all.join(",")));
    }
    if let Some(required) = given("required")? {
        let names: Vec<String> = match required {
            Value::Array(names) => names.iter().map(str_of).collect(),
            Value::Object(names) => names.keys().cloned().collect(),
            Value::String(text) => text.chars().map(String::from).collect(),
            other => {
                let message = format!("'{}' object is not iterable", type_name(other));
                return Err(MaskError::python("TypeError", message));
            }
        };
        let names: Vec<String> = names.iter().map(|name| format!("{QUOTE}{name}{QUOTE}")).collect();
        parts.push(format!("required:[{}]", names.join(",")));
    }
    if let Some(kind) = given("type")? {
        parts.push(typed(&str_of(kind).to_uppercase()));
    }
    Ok(parts.join(","))
}

/// `function_formatter`: calls one behind the other.
pub fn calls(calls: &[FunctionCall]) -> String {
    let written = calls.iter().map(|(name, arguments)| {
        let arguments = match arguments {
            Value::Object(arguments) => pairs(arguments),
            Value::String(text) => text.clone(),
            other => argument(other),
        };
        format!("<|tool_call>call:{}{{{arguments}}}<tool_call|>", str_of(name))
    });
    written.collect()
}

/// `key:value`, by the order of the keys.
fn pairs(fields: &Map<String, Value>) -> String {
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    let pairs: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}:{}", argument(value))).collect();
    pairs.join(",")
}

fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{QUOTE}{text}{QUOTE}"),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Null => "null".into(),
        Value::Object(fields) => format!("{{{}}}", pairs(fields)),
        Value::Array(all) => format!("[{}]", all.iter().map(argument).collect::<Vec<_>>().join(",")),
        Value::Number(_) => str_of(value),
    }
}
