//! What the changes do to messages. Each has its Python in [`super::python`], which has to do the same.

use serde_json::{Map, Value, json};

use crate::chat::{CALL_ROLES, Conversation, MediaKind, REASONING_KEYS, reasoning, role};
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps};

/// Other names of roles, and what templates call them.
pub const ROLE_NAMES: [(&str, &str); 13] = [
    ("developer", "system"),
    ("human", "user"),
    ("gpt", "assistant"),
    ("model", "assistant"),
    ("bot", "assistant"),
    ("ai", "assistant"),
    ("chatgpt", "assistant"),
    ("function_call", "assistant"),
    ("function", "tool"),
    ("function_response", "tool"),
    ("tool_response", "tool"),
    ("observation", "tool"),
    ("ipython", "tool"),
];

/// Roles under which a template has turns as a rule.
pub const USUAL_ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

/// `json.dumps(value, ensure_ascii=False)`.
pub fn python_json(value: &Value) -> String {
    dumps(value, PythonJsonStyle::UNICODE)
}

pub fn usual_role(message: &mut Value) {
    let name = ROLE_NAMES.iter().find(|(other, _)| *other == role(message)).map(|(_, usual)| *usual);
    if let (Some(name), Some(message)) = (name, message.as_object_mut()) {
        message.insert("role".into(), name.into());
    }
}

/// Roles of turns that are the result of a call.
pub const RESULT_ROLES: [&str; 2] = ["tool_response", "observation"];

/// Calls that are turns as `tool_calls` of the assistant's turn before them, or of one of their own.
pub fn call_turns(messages: &[Value]) -> Vec<Value> {
    let call = |message: &Value| {
        let value: Value = serde_json::from_str(message.get("content")?.as_str()?).ok()?;
        let arguments = value.get("arguments").cloned().unwrap_or_else(|| json!({}));
        Some(json!({"type": "function", "function": {"name": value.get("name")?, "arguments": arguments}}))
    };
    if !messages.iter().any(|message| CALL_ROLES.contains(&role(message)) && call(message).is_some()) {
        return messages.to_vec();
    }
    let mut out: Vec<Value> = Vec::new();
    for message in messages {
        let call = CALL_ROLES.contains(&role(message)).then(|| call(message)).flatten();
        if let Some(call) = call {
            let before = out.last_mut().filter(|before| role(before) == "assistant");
            let calls = before.and_then(Value::as_object_mut).map(|before| before.entry("tool_calls"));
            match calls.map(|entry| entry.or_insert_with(|| json!([])).as_array_mut()) {
                Some(Some(calls)) => calls.push(call),
                _ => out.push(json!({"role": "assistant", "content": "", "tool_calls": [call]})),
            }
            continue;
        }
        let mut message = message.clone();
        if let (true, Some(fields)) = (RESULT_ROLES.contains(&role(&message)), message.as_object_mut()) {
            fields.insert("role".into(), "tool".into());
        }
        out.push(message);
    }
    out
}

pub fn each_content(messages: &mut [Value], change: impl Fn(&Value) -> Option<Value>) {
    for slot in messages.iter_mut().filter_map(|message| message.get_mut("content")) {
        if let Some(changed) = change(slot) {
            *slot = changed;
        }
    }
}

/// What all parts say in one text; `None` where one of them would be gone there.
pub fn joined_parts(content: &Value) -> Option<Value> {
    let part_as_text = |part: &Value| {
        let medium = MediaKind::ALL.into_iter().find(|kind| kind.part_type(part).is_some());
        let text = part.as_str().or_else(|| part.get("text")?.as_str());
        medium.map(MediaKind::word).or(text).map(String::from)
    };
    Some(Value::from(content.as_array()?.iter().map(part_as_text).collect::<Option<String>>()?))
}

pub fn each_arguments(messages: &mut [Value], change: impl Fn(&Value) -> Option<Value>) {
    let calls = messages.iter_mut().filter_map(|m| m.get_mut("tool_calls")?.as_array_mut()).flatten();
    for call in calls {
        let has_function = call.get("function").is_some_and(Value::is_object);
        let function = if has_function { call.get_mut("function") } else { Some(call) };
        if let Some(slot) = function.and_then(|function| function.get_mut("arguments"))
            && let Some(changed) = change(slot)
        {
            *slot = changed;
        }
    }
}

/// The content as text, and a message to put another in the place of it; `None` for a list, which has no one text.
fn text_of(message: &Map<String, Value>) -> Option<String> {
    match message.get("content") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => Some(String::new()),
        _ => None,
    }
}

pub fn thought_into_content(message: &mut Value) {
    let Some(thought) = reasoning(message).map(|(_, thought)| thought.to_string()) else { return };
    let Some(message) = message.as_object_mut() else { return };
    let Some(text) = text_of(message) else { return };
    for key in REASONING_KEYS {
        if message.get(key).is_some_and(|value| value.is_string() || value.is_null()) {
            message.shift_remove(key);
        }
    }
    message.insert("content".into(), format!("<think>\n{thought}\n</think>\n\n{text}").into());
}

pub fn calls_into_content(message: &mut Value) {
    let Some(message) = message.as_object_mut() else { return };
    let Some(text) = text_of(message) else { return };
    let Some(Value::Array(calls)) = message.get("tool_calls").filter(|calls| calls != &&json!([])) else {
        return;
    };
    let blocks = calls.iter().map(|call| {
        let function = call.get("function").filter(|function| function.is_object());
        format!("<tool_call>\n{}\n</tool_call>", python_json(function.unwrap_or(call)))
    });
    let texts: Vec<String> = (!text.is_empty()).then_some(text).into_iter().chain(blocks).collect();
    message.insert("content".into(), texts.join("\n").into());
    message.shift_remove("tool_calls");
}

pub fn tools_into_system(conversation: &mut Conversation) {
    let Some(tools) = conversation.tools.as_ref().filter(|tools| !tools.is_empty()) else { return };
    let tools = tools.iter().map(python_json).collect::<Vec<_>>().join("\n");
    let tools = format!("<tools>\n{tools}\n</tools>");
    let first = conversation.messages.first_mut().filter(|first| role(first) == "system");
    match first.and_then(Value::as_object_mut) {
        None => conversation.messages.insert(0, json!({"role": "system", "content": tools})),
        Some(message) => {
            let Some(text) = text_of(message) else { return };
            let text = if text.is_empty() { tools } else { format!("{text}\n\n{tools}") };
            message.insert("content".into(), text.into());
        }
    }
    conversation.tools = None;
}

/// Neighbours of one role as one, where both are texts and the second says nothing else: calls and parts would be gone.
pub fn merged(messages: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for message in messages {
        let text = |message: &Value| message.as_object().and_then(text_of);
        let is_plain = message.as_object().is_some_and(|m| {
            m.iter().all(|(key, value)| key == "role" || key == "content" || value.is_null())
        });
        let last =
            out.last_mut().filter(|last| role(last) == role(message) && role(message) != "tool" && is_plain);
        let joined = last.as_ref().and_then(|last| Some(format!("{}\n\n{}", text(last)?, text(message)?)));
        match (last.and_then(Value::as_object_mut), joined) {
            (Some(last), Some(joined)) => {
                last.insert("content".into(), joined.into());
            }
            _ => out.push(message.clone()),
        }
    }
    out
}

pub fn system_into_user(messages: &mut Vec<Value>) {
    let Some(system) = messages.first().filter(|m| role(m) == "system").and_then(|m| text_of(m.as_object()?))
    else {
        return;
    };
    let Some(question) = messages.get_mut(1).filter(|m| role(m) == "user").and_then(Value::as_object_mut)
    else {
        return;
    };
    let Some(text) = text_of(question) else { return };
    question.insert("content".into(), format!("{system}\n\n{text}").into());
    messages.remove(0);
}

pub fn words_as_parts(content: &Value) -> Option<Value> {
    let text = content.as_str()?;
    let word = MediaKind::Image.word();
    text.contains(word).then(|| {
        let mut parts = Vec::new();
        for (index, piece) in text.split(word).enumerate() {
            if index > 0 {
                parts.push(json!({"type": "image"}));
            }
            let piece = if index > 0 { piece.strip_prefix('\n').unwrap_or(piece) } else { piece };
            if !piece.is_empty() {
                parts.push(json!({"type": "text", "text": piece}));
            }
        }
        Value::Array(parts)
    })
}

/// `{"type": "image_url", "image_url": {"url": U}}`, or with `U` itself there, as `{"type": "image", "image": U}`.
pub fn urls_as_images(content: &Value) -> Option<Value> {
    let parts = content.as_array()?;
    let is_url = |part: &Value| part.get("type").is_some_and(|kind| kind == "image_url");
    let changed = |part: &Value| match is_url(part) {
        true => {
            let url = part.get("image_url").map(|url| url.get("url").unwrap_or(url));
            json!({"type": "image", "image": url})
        }
        false => part.clone(),
    };
    parts.iter().any(is_url).then(|| parts.iter().map(changed).collect())
}
