//! Reading one row of each layout.

use serde_json::{Map, Value, json};

use super::RowError;
use crate::chat::conversation::role;
use crate::chat::{Body, Columns, Conversation, MediaFiles, Sample, TextSegment};

/// Names of the column of turns.
const CONVERSATIONS: [&str; 5] = ["conversations", "conversation", "dialog", "dialogue", "dialogs"];

/// The list under the first of the names of a column of turns.
pub(super) fn conversations(row: &Value) -> Option<&Value> {
    CONVERSATIONS.iter().find_map(|key| row.get(*key))
}

/// The key that [`conversations`] reads.
pub(super) fn conversations_key(row: &Value) -> &'static str {
    let key = CONVERSATIONS.into_iter().find(|key| row.get(*key).is_some());
    key.unwrap_or("conversations")
}

/// Columns that say something to the model, and that are read by nothing here or in a trainer: a system text beside one
/// that the messages have, functions in OpenAI's old form. `first` is the role of the first message.
pub(super) fn unread(row: &Value, first: Option<&str>) -> Vec<(&'static str, Value)> {
    let says = |key: &'static str| {
        let value = row.get(key)?;
        let is_empty = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => text.trim().is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
        };
        (!is_empty).then(|| (key, value.clone()))
    };
    let system = says("system").filter(|(_, text)| first == Some("system") || !text.is_string());
    let others = ["system_prompt", "functions", "tool_list", "available_tools"].map(says);
    [system].into_iter().chain(others).flatten().collect()
}

/// The first element of a list.
pub(super) fn first(value: Option<&Value>) -> Option<&Value> {
    value?.as_array()?.first()
}

/// True when a turn holds an image placeholder.
pub(super) fn mentions_image(row: &Value) -> bool {
    let turns = conversations(row).and_then(Value::as_array).into_iter().flatten();
    turns.filter_map(|turn| turn.get("value")?.as_str()).any(|text| text.contains("<image>"))
}

/// A message without its keys that are null, as transformers drops them. Nulls further in stay: a template prints them,
/// and a null among the arguments of a tool is learned.
pub(super) fn without_own_nulls(message: &Value) -> Value {
    match message {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

fn list<'r>(row: &'r Value, key: &str) -> Result<&'r [Value], RowError> {
    match row.get(key).and_then(Value::as_array) {
        Some(items) => Ok(items),
        None => Err(RowError::new(key, "is not a list")),
    }
}

fn text<'r>(row: &'r Value, key: &str) -> Result<&'r str, RowError> {
    row.get(key).and_then(Value::as_str).ok_or_else(|| RowError::new(key, "is not a string"))
}

/// `tools` as a list, or a list written as JSON text.
pub(super) fn tools(row: &Value) -> Result<Option<Vec<Value>>, RowError> {
    let bad = |why: String| RowError::new("tools", format!("is no list of JSON schemas ({why})"));
    match row.get("tools") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(tools)) => Ok(Some(tools.clone())),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map(Some).map_err(|error| bad(error.to_string()))
        }
        Some(_) => Err(bad("neither list nor text".into())),
    }
}

/// Puts the row's own `system` text in front, if the messages have none.
pub(super) fn with_system(row: &Value, mut messages: Vec<Value>) -> Vec<Value> {
    let system = row.get("system").and_then(Value::as_str).filter(|text| !text.is_empty());
    let has_one = messages.first().is_some_and(|m| role(m) == "system");
    if let (Some(system), false) = (system, has_one) {
        messages.insert(0, json!({"role": "system", "content": system}));
    }
    messages
}

/// A sample of messages, with the row's tools and template variables; a system text of the row goes in front.
pub(super) fn sample(row: &Value, id: String, messages: Vec<Value>) -> Result<Sample, RowError> {
    let unread = unread(row, messages.first().map(role));
    let messages = with_system(row, messages);
    let mut sample =
        Sample::of_messages(id, Conversation { messages, tools: tools(row)?, kwargs: kwargs(row)? });
    sample.unread = unread;
    sample.media = sample.conversations.iter().map(|turn| turn.value.matches("<image>").count()).sum();
    let own = sample.conversation().map(|conversation| MediaFiles::of_row(row, &conversation.messages));
    sample.files = own.unwrap_or_default();
    let named = ["image", "images", "video", "videos"].iter().filter_map(|key| row.get(*key));
    sample.has_image = sample.media > 0 || named.into_iter().any(|value| !value.is_null());
    Ok(sample)
}

/// Template variables: `chat_template_kwargs` or `kwargs`, an object or JSON text, and `documents`.
pub(super) fn kwargs(row: &Value) -> Result<Map<String, Value>, RowError> {
    let mut kwargs = Map::new();
    for key in ["kwargs", "chat_template_kwargs"] {
        let bad = || RowError::new(key, "is no object of template variables");
        match row.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => kwargs.extend(map.clone()),
            Some(Value::String(text)) => {
                kwargs.extend(serde_json::from_str::<Map<String, Value>>(text).map_err(|_| bad())?);
            }
            Some(_) => return Err(bad()),
        }
    }
    if let Some(documents @ Value::Array(_)) = row.get("documents") {
        kwargs.insert("documents".into(), documents.clone());
    }
    Ok(kwargs)
}

/// `{role, content}` messages under `key`. Tool arguments stay as they are: a template that wants them as an
/// object says so.
pub(super) fn open_ai(row: &Value, key: &'static str, id: String) -> Result<Sample, RowError> {
    let mut messages = Vec::new();
    for (index, message) in list(row, key)?.iter().enumerate() {
        let at = |field: &str| format!("{key}[{index}]{field}");
        let Value::Object(_) = message else {
            return Err(RowError::new(at(""), "is no object with role and content"));
        };
        if message.get("role").and_then(Value::as_str).is_none() {
            return Err(RowError::new(at(".role"), "is not a string"));
        }
        // Its nulls stay: transformers 4.x gives them to the template, and 5 drops them there.
        messages.push(message.clone());
    }
    if messages.is_empty() {
        return Err(RowError::new(key, "is empty"));
    }
    Ok(Sample { columns: Columns::Messages(key), ..sample(row, id, messages)? })
}

/// `instruction`, `input`, `output`, `system`, `history` of `[question, answer]`.
pub(super) fn alpaca(row: &Value, id: String) -> Result<Sample, RowError> {
    pair(row, id, "instruction", Some("input"), "output")
}

/// `query`, `response`, `system`, `history` of `[question, answer]`, as ms-swift takes them.
pub(super) fn query_response(row: &Value, id: String) -> Result<Sample, RowError> {
    pair(row, id, "query", None, "response")
}

fn pair(
    row: &Value,
    id: String,
    question: &'static str,
    input: Option<&'static str>,
    answer: &'static str,
) -> Result<Sample, RowError> {
    let mut messages = Vec::new();
    for (index, pair) in row.get("history").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let side = |side: usize| {
            pair.get(side).and_then(Value::as_str).ok_or_else(|| {
                RowError::new(format!("history[{index}]"), "is no pair of question and answer")
            })
        };
        messages.push(json!({"role": "user", "content": side(0)?}));
        messages.push(json!({"role": "assistant", "content": side(1)?}));
    }
    let asked = text(row, question)?;
    let more = input.and_then(|input| row.get(input)?.as_str()).unwrap_or_default();
    let asked: Vec<&str> = [asked, more].into_iter().filter(|part| !part.is_empty()).collect();
    messages.push(json!({"role": "user", "content": asked.join("\n")}));
    messages.push(json!({"role": "assistant", "content": text(row, answer)?}));
    let columns = Columns::Pair { question, input, answer };
    Ok(Sample { columns, ..sample(row, id, messages)? })
}

pub(super) fn prompt_completion(row: &Value, id: String) -> Result<Sample, RowError> {
    let side = |key: &str, role: &str| -> Result<Vec<Value>, RowError> {
        match row.get(key) {
            Some(Value::String(text)) => Ok(vec![json!({"role": role, "content": text})]),
            Some(Value::Array(messages)) => Ok(messages.iter().map(without_own_nulls).collect()),
            _ => Err(RowError::new(key, "is neither text nor a list of messages")),
        }
    };
    if let (Some(Value::String(prompt)), Some(Value::String(completion))) =
        (row.get("prompt"), row.get("completion"))
    {
        let body = Body::PromptCompletionText { prompt: prompt.clone(), completion: completion.clone() };
        return Ok(Sample { id, body, ..Sample::default() });
    }
    let (prompt, completion) = (side("prompt", "user")?, side("completion", "assistant")?);
    let count = prompt.len();
    let mut sample = sample(row, id, [prompt, completion].concat())?;
    sample.columns = Columns::PromptCompletion;
    if let Body::Messages(conversation) = std::mem::take(&mut sample.body) {
        sample.body = Body::PromptCompletion { conversation, prompt: count };
    }
    Ok(sample)
}

/// A preference row: what ms-swift calls `messages` and `rejected_messages` or `rejected_response` are the two sides too.
pub(super) fn preference(row: &Value) -> Result<Body, RowError> {
    let mut columns = Map::new();
    for key in ["prompt", "chosen", "rejected", "completion", "label"] {
        match row.get(key) {
            None | Some(Value::Null) => continue,
            Some(value @ (Value::String(_) | Value::Bool(_))) => columns.insert(key.into(), value.clone()),
            Some(Value::Array(messages)) => {
                columns.insert(key.into(), messages.iter().map(without_own_nulls).collect())
            }
            Some(_) => return Err(RowError::new(key, "is neither text nor a list of messages")),
        };
    }
    if !columns.contains_key("chosen") && !columns.contains_key("completion") {
        let chosen = list(row, "messages")?;
        let last_user = chosen.iter().rposition(|message| role(message) == "user");
        let shared = chosen.get(..last_user.map_or(0, |at| at + 1)).unwrap_or_default();
        let rejected = match (row.get("rejected_messages"), row.get("rejected_response")) {
            (Some(Value::Array(messages)), _) => messages.clone(),
            (_, Some(Value::Array(answers))) => [shared, answers].concat(),
            (_, Some(Value::String(text))) => {
                [shared, &[json!({"role": "assistant", "content": text})]].concat()
            }
            _ => return Err(RowError::new("rejected_response", "is neither text nor a list of messages")),
        };
        columns.insert("chosen".into(), chosen.iter().map(without_own_nulls).collect());
        columns.insert("rejected".into(), rejected.iter().map(without_own_nulls).collect());
    }
    if let Some(tools) = tools(row)? {
        columns.insert("tools".into(), Value::Array(tools));
    }
    let kwargs = kwargs(row)?;
    if !kwargs.is_empty() {
        columns.insert("chat_template_kwargs".into(), Value::Object(kwargs));
    }
    Ok(Body::Preference(columns))
}

pub(super) fn pretokenised(row: &Value) -> Result<Body, RowError> {
    let numbers = |key: &str| -> Result<Vec<i64>, RowError> {
        let whole = |value: &Value| {
            value.as_i64().ok_or_else(|| RowError::new(key, format!("{value} is not an integer")))
        };
        list(row, key)?.iter().map(whole).collect()
    };
    let (input_ids, labels) = (numbers("input_ids")?, numbers("labels")?);
    if input_ids.len() != labels.len() {
        let problem =
            format!("has {} entries, input_ids has {}: one label a token", labels.len(), input_ids.len());
        return Err(RowError::new("labels", problem));
    }
    Ok(Body::Pretokenised { input_ids, labels })
}

pub(super) fn segments(row: &Value) -> Result<Body, RowError> {
    let mut segments = Vec::new();
    for (index, segment) in list(row, "segments")?.iter().enumerate() {
        let problem = |field: &str, what: &str| RowError::new(format!("segments[{index}].{field}"), what);
        let text =
            segment.get("text").and_then(Value::as_str).ok_or_else(|| problem("text", "is not a string"))?;
        let trained = segment
            .get("label")
            .and_then(Value::as_bool)
            .ok_or_else(|| problem("label", "is neither true nor false"))?;
        segments.push(TextSegment { text: text.to_string(), trained });
    }
    Ok(Body::Segments(segments))
}

pub(super) fn raw_text(row: &Value) -> Result<Body, RowError> {
    Ok(Body::Text(text(row, "text")?.to_string()))
}
