//! Tool calls and tools: name and arguments, whatever form a template writes them in.

use std::ops::Range;

use serde_json::Value;

use super::fate::Fate;
use super::ledger::{Ledger, leaves};
use super::spelling::chars_of;
use crate::chat::{CALL_ROLES, role};

/// The call that a message is, where its content is one as text: trainers write it anew, in their own form.
pub fn written(message: &Value) -> Option<Value> {
    if !CALL_ROLES.contains(&role(message)) {
        return None;
    }
    let call: Value = serde_json::from_str(message.get("content")?.as_str()?).ok()?;
    call.get("name").is_some_and(Value::is_string).then_some(call)
}

/// What became of a call's name and arguments, each with its path and its characters.
pub fn fates(
    ledger: &mut Ledger<'_>,
    path: &str,
    call: &Value,
    region: &Range<usize>,
) -> Vec<(String, usize, Fate)> {
    let (function, path) = match call.get("function") {
        Some(function @ Value::Object(_)) => (function, format!("{path}.function")),
        _ => (call, path.to_string()),
    };
    let name = function.get("name").and_then(Value::as_str);
    let arguments = function.get("arguments").or_else(|| function.get("parameters")).filter(|a| !a.is_null());
    if name.is_none() && arguments.is_none() {
        return vec![(path, chars_of(call), ledger.value(call, region))];
    }
    // Arguments first: a short name must not be found in them.
    let arguments = arguments.map(|value| (value, arguments_fate(ledger, value, region)));
    let name = name.map(|name| (name, ledger.claim(name, region).map_or(Fate::Lost, Fate::Found)));
    match (name, arguments) {
        // A template that takes no notice of calls: one line for all of it.
        (Some((_, Fate::Lost)), Some((_, fate)))
            if !matches!(fate, Fate::EscapedTwice | Fate::AsPython(_)) =>
        {
            vec![(path, chars_of(function), Fate::Lost)]
        }
        (name, arguments) => {
            let name = name.map(|(name, fate)| (format!("{path}.name"), name.chars().count(), fate));
            let arguments =
                arguments.map(|(value, fate)| (format!("{path}.arguments"), chars_of(value), fate));
            name.into_iter().chain(arguments).collect()
        }
    }
}

fn arguments_fate(ledger: &mut Ledger<'_>, arguments: &Value, region: &Range<usize>) -> Fate {
    let Value::String(text) = arguments else {
        return ledger.value(arguments, region);
    };
    if text.trim().is_empty() {
        return Fate::Found(region.start..region.start);
    }
    if let Some(found) = ledger.claim(text.trim(), region) {
        return Fate::Found(found);
    }
    let escaped = serde_json::to_string(text).unwrap_or_default();
    if escaped.contains("\\\"") && ledger.claim(&escaped, region).is_some() {
        return Fate::EscapedTwice;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => ledger.value(&value, region),
        _ => ledger.text(text, region),
    }
}

/// What became of a tool: its name, and every description in it.
pub fn tool_fate(ledger: &mut Ledger<'_>, tool: &Value, region: &Range<usize>) -> Fate {
    let function = tool.get("function").unwrap_or(tool);
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return ledger.value(tool, region);
    };
    let Some(found) = ledger.find(name, region) else { return Fate::Lost };
    let description = function.get("description").filter(|text| text.is_string());
    let untold = description.filter(|text| !ledger.leaf(text, region)).and_then(Value::as_str);
    let mut missing: Vec<String> = untold.map(String::from).into_iter().collect();
    described(function.get("parameters").unwrap_or(&Value::Null), &mut |key, value| {
        let parameter = Value::from(key);
        if !ledger.leaf(&parameter, region) {
            missing.push(key.to_string());
        }
        if let Some(text) = value.get("description").filter(|text| !ledger.leaf(text, region)) {
            leaves(text, &mut |leaf| missing.push(leaf.as_str().unwrap_or_default().to_string()));
        }
    });
    if missing.is_empty() { Fate::Found(found) } else { Fate::Partly(missing.join(", ")) }
}

/// Every parameter of a JSON schema, nested ones too.
fn described(schema: &Value, each: &mut dyn FnMut(&str, &Value)) {
    for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        each(key, value);
        described(value, each);
    }
    if let Some(items) = schema.get("items") {
        described(items, each);
    }
}
