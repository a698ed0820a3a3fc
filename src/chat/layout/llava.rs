//! LLaVA's records, which are ShareGPT's: `conversations` of `{from, value}`, with an image or without.
//!
//! LLaVA's code reads speakers and texts as they are, so nothing is refused here that it would take. Where a row says
//! more (flags of a turn, tools, a system text), the messages keep it.

use serde_json::{Map, Value};

use super::{RowError, rows};
use crate::chat::sample::{is_call, plain_role};
use crate::chat::{Body, Columns, Conversation, MediaFiles, Sample, Turn};

/// Reads one row.
pub(super) fn read(row: &Value, id: String) -> Result<Sample, RowError> {
    let turns = rows::conversations(row).ok_or_else(|| {
        RowError::new("conversations", "is missing (LLaVA layout: a list of {\"from\", \"value\"})")
    })?;
    let turns = turns.as_array().ok_or_else(|| RowError::new("conversations", "is not a list"))?;
    let mut conversations = Vec::with_capacity(turns.len());
    for (n, turn) in turns.iter().enumerate() {
        let text = |key: &str| {
            let found = turn.get(key).and_then(Value::as_str);
            found.ok_or_else(|| {
                RowError::new(format!("turn {}", n + 1), format!("{key:?} is missing or not a string"))
            })
        };
        conversations.push(Turn::new(text("from")?, text("value")?));
    }
    let media = ["image", "images", "video"].iter().filter_map(|key| row.get(*key)).map(count_media).sum();
    // The training code asks for the key, whatever its value.
    let has_image = row.get("image").is_some() || row.get("video").is_some();
    let has_only_video = row.get("video").is_some() && row.get("image").is_none();
    let body = body(row, turns)?;
    let files = MediaFiles::of_row(row, &[]);
    let columns = Columns::Turns(rows::conversations_key(row));
    let unread = rows::unread(row, conversations.first().map(|turn| turn.from.as_str()));
    Ok(Sample { id, conversations, has_image, has_only_video, media, files, columns, unread, body })
}

/// Messages where the row says more than who speaks and what.
fn body(row: &Value, turns: &[Value]) -> Result<Body, RowError> {
    let is_bare = |turn: &Value| {
        turn.as_object().is_some_and(|turn| {
            turn.iter().all(|(key, value)| matches!(key.as_str(), "from" | "value") || value.is_null())
        })
    };
    let (tools, kwargs) = (rows::tools(row)?, rows::kwargs(row)?);
    let says_more = row.get("system").is_some_and(Value::is_string) || tools.is_some() || !kwargs.is_empty();
    if !says_more && turns.iter().all(is_bare) {
        return Ok(Body::Turns);
    }
    let messages = rows::with_system(row, turns.iter().map(message).collect());
    Ok(Body::Messages(Conversation { messages, tools, kwargs }))
}

fn message(turn: &Value) -> Value {
    let mut message = Map::new();
    for (key, value) in turn.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match (key.as_str(), value.as_str()) {
            ("from", Some(from)) => {
                if is_call(from) {
                    message.insert("from".into(), from.into());
                }
                message.insert("role".into(), plain_role(from).into())
            }
            ("value", _) => message.insert("content".into(), value.clone()),
            _ => message.insert(key.clone(), value.clone()),
        };
    }
    Value::Object(message)
}

fn count_media(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len(),
        Value::Null => 0,
        _ => 1,
    }
}
