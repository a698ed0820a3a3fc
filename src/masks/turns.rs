//! Where each message of a conversation stands in the rendered text. For the eye only: no strategy uses it.
//!
//! The conversation is rendered once more with a mark in place of every text. What stands between two marks is the
//! template's own, and is looked for in the real text; so thoughts that the template strips, or puts in, do
//! not matter. Where a turn ends within such a gap is read off the rendering that ends with that turn.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::{Call, Chat, Sample, role};

/// Above this many messages, turns end where the gap begins: renderings grow with the square.
const MAX_RENDERED: usize = 200;

/// A message in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSpan {
    /// Index among the messages.
    pub message: usize,
    pub role: String,
    /// Bytes of the text, with all that the template puts around it.
    pub whole: Range<usize>,
    /// Bytes of the message's own text; empty at the end of `whole` where it has none.
    pub content: Range<usize>,
}

/// The turns in `text`, in order, as far as they can be found.
pub fn locate(chat: Option<&Chat>, sample: &Sample, text: &str) -> Vec<TurnSpan> {
    let contents: Vec<Option<String>> = sample.messages.iter().map(text_of).collect();
    let gaps = chat.and_then(|chat| gaps(chat, sample, &contents));
    let mut found: Vec<TurnSpan> = Vec::new();
    let mut at = 0;
    for (index, message) in sample.messages.iter().enumerate() {
        let start = found.last().map_or(0, |turn| turn.whole.end);
        let gap = gaps.as_ref().and_then(|gaps| gaps.get(index));
        let content = match &contents.get(index).cloned().flatten() {
            None => None,
            Some(content) => match content_at(text, at.max(start), content, gap) {
                Some(range) => Some(range),
                // What follows cannot be told apart either.
                None => break,
            },
        };
        at = content.as_ref().map_or(at, |content| content.end);
        let ends = match index + 1 == sample.messages.len() {
            true => text.len(),
            false => boundary(text, at + gap.map_or(0, |gap| gap.own_end)).max(start),
        };
        found.push(TurnSpan {
            message: index,
            role: role(message).to_string(),
            whole: start..ends,
            content: content.unwrap_or(ends..ends),
        });
    }
    found
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// What the template writes around a message's text.
struct Gap {
    /// Right before it, since the text before.
    before: String,
    /// Right behind it, up to the next text; `None` where the message has no text.
    after: Option<String>,
    /// How much of what follows the last text belongs to this turn, in bytes.
    own_end: usize,
}

/// The text of a message that a mark can stand for.
fn text_of(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            let longest = texts.max_by_key(|text| text.len())?;
            (!longest.trim().is_empty()).then(|| longest.to_string())
        }
        _ => None,
    }
}

/// Finds a content that stands at `from` or later: behind its gap, and before the next one.
fn content_at(text: &str, from: usize, content: &str, gap: Option<&Gap>) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let after_gap = gap.and_then(|gap| Some(rest.find(&gap.before)? + gap.before.len()));
    let begin = from + after_gap.unwrap_or(0);
    let whole = content.trim();
    if let Some(at) = text.get(begin..)?.find(whole) {
        return Some(begin + at..begin + at + whole.len());
    }
    // The template changed the text: what stands between the gaps is what it made of it.
    let (_, gap) = (after_gap?, gap?);
    let after = gap.after.as_deref()?;
    let len = match after.is_empty() {
        true => text.len() - begin,
        false => text.get(begin..)?.find(after)?,
    };
    Some(begin..begin + len)
}

fn mark(index: usize) -> String {
    format!("Qturn{index}Q")
}

/// Renders the conversation with marks and takes it apart at them. `None` where the marks do not come through.
fn gaps(chat: &Chat, sample: &Sample, contents: &[Option<String>]) -> Option<Vec<Gap>> {
    let marked: Vec<Value> = sample
        .messages
        .iter()
        .zip(contents)
        .enumerate()
        .map(|(index, (message, content))| match content {
            Some(content) => with_mark(message, content, &mark(index)),
            None => message.clone(),
        })
        .collect();
    let call = Call { messages: &marked, ..Call::whole(sample) };
    let text = chat.text(call).ok()?;
    let mut gaps = Vec::with_capacity(marked.len());
    let (mut at, mut last) = (0, None);
    for index in 0..marked.len() {
        let before = match contents.get(index)? {
            None => String::new(),
            Some(_) => {
                let found = text.get(at..)?.find(&mark(index))?;
                let before = text.get(at..at + found)?.to_string();
                at += found + mark(index).len();
                last = Some(index);
                before
            }
        };
        let next = (index + 1..marked.len()).find(|next| contents.get(*next).is_some_and(Option::is_some));
        let rest = text.get(at..)?;
        let behind = match next {
            Some(next) => rest.get(..rest.find(&mark(next))?)?,
            None => rest,
        };
        let own_end = own_end(chat, call.prefix(index + 1, false), last, behind, marked.len());
        gaps.push(Gap { before, after: contents.get(index)?.as_ref().map(|_| behind.to_string()), own_end });
    }
    Some(gaps)
}

/// How much of `behind` is written when the conversation ends here.
fn own_end(chat: &Chat, prefix: Call, last: Option<usize>, behind: &str, messages: usize) -> usize {
    if messages > MAX_RENDERED {
        return 0;
    }
    let Ok(text) = chat.text(prefix) else { return 0 };
    let tail = match last {
        Some(last) => text.rsplit_once(&mark(last)).map_or("", |(_, tail)| tail),
        None => text.as_str(),
    };
    tail.chars().zip(behind.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}

/// The message with a mark in place of `content`; other texts of it are emptied.
fn with_mark(message: &Value, content: &str, mark: &str) -> Value {
    let mut marked: Map<String, Value> = message.as_object().cloned().unwrap_or_default();
    for reasoning in ["reasoning_content", "thinking", "reasoning"] {
        marked.remove(reasoning);
    }
    match marked.get_mut("content") {
        Some(Value::Array(parts)) => {
            for text in parts.iter_mut().filter_map(|part| part.get_mut("text")) {
                *text = if text.as_str() == Some(content) { json!(mark) } else { json!("") };
            }
        }
        _ => {
            marked.insert("content".into(), mark.into());
        }
    }
    Value::Object(marked)
}
