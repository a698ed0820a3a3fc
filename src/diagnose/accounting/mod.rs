//! Every part of a conversation, found in its rendered prompt or named as lost.
//!
//! ```text
//! Conversation ── parts ──► content, thoughts, tool calls, tools, names, unknown keys
//!                              │
//! prompt, its turns ── Ledger ─┴─► Entry { path, fate }    each byte of the prompt accounts for one part at most
//! ```
//!
//! A part is looked for in the turn of its own message first, then in what no other part has claimed of the rest, so that
//! a text that stands twice in a record has to stand twice in the prompt. Only a search in texts: nothing is rendered.

mod calls;
mod fate;
mod flags;
mod ledger;
mod media;
mod record;
mod spelling;
mod thoughts;

use std::ops::Range;

use serde_json::{Map, Value};

pub use fate::{Fate, PartKind};
pub use flags::IgnoredFlag;
pub use media::MediaAccount;
pub use record::{FoundPart, RecordAccount, Weight, lost_of, pattern};

use crate::chat::{Conversation, PromptLayout, REASONING_KEYS, reasoning, role};
use crate::labels::{IGNORE_INDEX, Labelled};
use ledger::Ledger;
use spelling::chars_of;

/// Keys of a message that name things and say nothing: no trainer wants them in a text.
const NAMES: [&str; 10] =
    ["role", "from", "id", "tool_call_id", "type", "uuid", "created_at", "timestamp", "index", "call_id"];

/// Keys that say whether a message is learned; strategies read them, templates do not.
pub const FLAGS: [&str; 8] =
    ["train", "training", "trainable", "loss", "loss_mask", "loss_scale", "weight", "masked"];

/// Other keys under which a message says something that the model should learn or read.
const SAYING: [&str; 7] =
    ["function_call", "reasoning_details", "thought", "thoughts", "rationale", "refusal", "analysis"];

/// One part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Index of the message; `None` for what belongs to the whole record.
    pub message: Option<usize>,
    /// Where the record has it: `content[1].text`, `tool_calls[0].function.arguments.city`, `tools[0]`.
    pub path: String,
    pub kind: PartKind,
    /// Characters of the part.
    pub chars: usize,
    pub fate: Fate,
    /// It lies in the history: a later message is a user's.
    pub in_history: bool,
}

impl Entry {
    /// The path with its message, as a record is written.
    pub fn full_path(&self) -> String {
        match self.message {
            Some(message) => format!("messages[{message}].{}", self.path),
            None => self.path.clone(),
        }
    }

    /// `message 1: reasoning_content (37 characters) is not in the rendered text`.
    pub fn sentence(&self) -> String {
        let place = self.message.map_or(String::new(), |message| format!("message {message}: "));
        let Self { path, chars, .. } = self;
        match &self.fate {
            Fate::Found(_) => format!("{place}{path} is in the rendered text"),
            Fate::Lost => format!("{place}{path} ({chars} characters) is not in the rendered text"),
            Fate::Partly(lost) => {
                let count = lost.chars().count();
                format!("{place}{path}: {count} of {chars} characters are not in the rendered text: {lost:?}")
            }
            Fate::AsPython(text) => {
                format!("{place}{path} is printed as a Python value: {text}")
            }
            Fate::EscapedTwice => {
                format!("{place}{path} is a string of JSON that the template encodes as JSON once more")
            }
        }
    }

    /// Tokens that carry the part, and how many of them are supervised; `None` for a part that is not found.
    pub fn tokens(&self, labelled: &Labelled) -> Option<(Range<usize>, usize)> {
        let Fate::Found(bytes) = &self.fate else { return None };
        let start = labelled.spans.partition_point(|span| span.end <= bytes.start);
        let end = labelled.spans.partition_point(|span| span.start < bytes.end).max(start);
        let labels = labelled.labels.get(start..end)?;
        Some((start..end, labels.iter().filter(|label| **label != IGNORE_INDEX).count()))
    }
}

/// All parts of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub entries: Vec<Entry>,
}

impl Account {
    /// Looks for every part of a conversation in the prompt that was made of it.
    pub fn of(conversation: &Conversation, prompt: &str, layout: &PromptLayout) -> Self {
        let last_user = conversation.messages.iter().rposition(|message| role(message) == "user");
        let regions = regions(conversation.messages.len(), prompt, layout);
        let mut account =
            Accounting { ledger: Ledger::new(prompt), entries: Vec::new(), last_user, pending: Vec::new() };
        let messages = || conversation.messages.iter().zip(&regions).enumerate();
        // Contents first: what else is looked for must not be found in them.
        messages().for_each(|(index, (message, region))| account.content(index, message, region));
        account.settle(&regions);
        messages().for_each(|(index, (message, region))| account.rest(index, message, region));
        account.settle(&regions);
        account.tools(conversation.tools.as_deref().unwrap_or_default());
        account.documents(&conversation.kwargs);
        account.settle(&regions);
        let mut entries = account.entries;
        entries.sort_by_key(|entry| entry.message.unwrap_or(usize::MAX));
        Self { entries }
    }

    /// The parts that are not in the text as they are in the record.
    pub fn lost(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.fate.is_found())
    }
}

/// The stretch of the prompt that each message's turn takes. A message without a turn of its own (merged into a
/// neighbour, or left out) gets all from the turn before it to the end of the one behind.
fn regions(count: usize, prompt: &str, layout: &PromptLayout) -> Vec<Range<usize>> {
    let mut own: Vec<Option<Range<usize>>> = vec![None; count];
    for turn in &layout.turns {
        if let Some(slot) = own.get_mut(turn.index) {
            *slot = Some(turn.whole.clone());
        }
    }
    let mut ends = vec![prompt.len(); count];
    let mut next = prompt.len();
    for (slot, end) in own.iter().zip(&mut ends).rev() {
        *end = next;
        next = slot.as_ref().map_or(next, |turn| turn.end);
    }
    let mut before = 0;
    let region = |(slot, end): (&Option<Range<usize>>, usize)| match slot {
        Some(turn) => {
            before = turn.start;
            turn.clone()
        }
        None => before..end.max(before),
    };
    own.iter().zip(ends).map(region).collect()
}

/// An account in the making.
struct Accounting<'t> {
    ledger: Ledger<'t>,
    entries: Vec<Entry>,
    last_user: Option<usize>,
    pending: Vec<Pending>,
}

/// A text that its own turn does not have as it is.
struct Pending {
    entry: usize,
    text: String,
    region: Range<usize>,
}

impl Accounting<'_> {
    fn push(&mut self, message: Option<usize>, path: String, kind: PartKind, chars: usize, fate: Fate) {
        let in_history = message.is_some_and(|index| self.last_user.is_some_and(|last| index < last));
        self.entries.push(Entry { message, path, kind, chars, fate, in_history });
    }

    /// A text that its own turn has is found at once; all others are looked for when every part has had its turn.
    fn text(
        &mut self,
        message: Option<usize>,
        path: String,
        kind: PartKind,
        text: &str,
        region: &Range<usize>,
    ) {
        if text.trim().is_empty() {
            return;
        }
        let fate = match self.ledger.claim(text.trim(), region) {
            Some(found) => Fate::Found(found),
            None => {
                let (entry, text, region) = (self.entries.len(), text.to_string(), region.clone());
                self.pending.push(Pending { entry, text, region });
                Fate::Lost
            }
        };
        self.push(message, path, kind, text.chars().count(), fate);
    }

    /// Looks for what was not in its own turn: in other spellings, line by line, and in the turn behind, which a
    /// template may have merged it into.
    fn settle(&mut self, regions: &[Range<usize>]) {
        for Pending { entry, text, region } in std::mem::take(&mut self.pending) {
            let message = self.entries.get(entry).and_then(|entry| entry.message);
            let next = message.and_then(|index| regions.get(index + 1));
            let wide = region.start..next.map_or(region.end, |next| next.end.max(region.end));
            let fate = match self.ledger.text(&text, &region) {
                Fate::Lost => self.ledger.text(&text, &wide),
                fate => fate,
            };
            if let Some(entry) = self.entries.get_mut(entry) {
                entry.fate = fate;
            }
        }
    }

    fn content(&mut self, index: usize, message: &Value, region: &Range<usize>) {
        match message.get("content") {
            Some(Value::String(text)) => self.said(index, "content".to_string(), text, region),
            Some(list @ Value::Array(parts)) => self.parts(index, list, parts, region),
            Some(object @ Value::Object(_)) => {
                let fate = self.ledger.value(object, region);
                self.push(Some(index), "content".into(), PartKind::Content, chars_of(object), fate);
            }
            _ => {}
        }
    }

    fn parts(&mut self, index: usize, list: &Value, parts: &[Value], region: &Range<usize>) {
        if let Some(printed) = self.ledger.as_python(list, region) {
            let fate = Fate::AsPython(printed);
            return self.push(Some(index), "content".into(), PartKind::Content, chars_of(list), fate);
        }
        for (at, part) in parts.iter().enumerate() {
            let path = format!("content[{at}]");
            match (part, part.get("text"), part.get("thinking").or_else(|| part.get("reasoning"))) {
                (Value::String(text), ..) => self.said(index, path, text, region),
                (_, Some(Value::String(text)), _) => self.said(index, path + ".text", text, region),
                (_, _, Some(Value::String(text))) => {
                    self.text(Some(index), path + ".thinking", PartKind::Thought, text, region);
                }
                _ => {}
            }
        }
    }

    /// What a message says, a thought in it apart: templates cut that off.
    fn said(&mut self, index: usize, path: String, text: &str, region: &Range<usize>) {
        let Some((thought, rest)) = thoughts::parted(text) else {
            return self.text(Some(index), path, PartKind::Content, text, region);
        };
        self.text(Some(index), path.clone(), PartKind::Content, rest, region);
        self.text(Some(index), format!("{path}, the thought in it"), PartKind::Thought, thought, region);
    }

    /// A null that a template prints; looked for last, as tool arguments may say `None` too.
    fn none(&mut self, index: usize, message: &Value, region: &Range<usize>) {
        let path = match message.get("content") {
            Some(Value::Null) | None => "content".to_string(),
            Some(Value::Array(parts)) => {
                let null = |part: &Value| part.get("text").is_some_and(Value::is_null);
                let Some(at) = parts.iter().position(null) else { return };
                format!("content[{at}].text")
            }
            _ => return,
        };
        if self.ledger.claim("None", region).is_some() {
            self.push(Some(index), path, PartKind::Content, 0, Fate::AsPython("None".into()));
        }
    }

    fn rest(&mut self, index: usize, message: &Value, region: &Range<usize>) {
        let fields = message.as_object();
        if let Some((key, text)) = reasoning(message) {
            self.text(Some(index), key.to_string(), PartKind::Thought, text, region);
        }
        match message.get("tool_calls") {
            Some(Value::Array(calls)) => {
                for (at, call) in calls.iter().enumerate() {
                    self.call(index, &format!("tool_calls[{at}]"), call, region);
                }
            }
            Some(other @ (Value::String(_) | Value::Object(_))) => {
                let fate = self.ledger.value(other, region);
                self.push(Some(index), "tool_calls".into(), PartKind::Call, chars_of(other), fate);
            }
            _ => {}
        }
        for (key, value) in fields.into_iter().flatten() {
            let key = key.as_str();
            let known = ["content", "tool_calls", "images", "videos", "audios", "image", "video", "audio"];
            if known.contains(&key)
                || NAMES.contains(&key)
                || FLAGS.contains(&key)
                || REASONING_KEYS.contains(&key)
                || says_nothing(value)
            {
                continue;
            }
            if key == "function_call" {
                self.call(index, key, value, region);
                continue;
            }
            let kind = if SAYING.contains(&key) { PartKind::Saying } else { PartKind::Other };
            let fate = self.ledger.value(value, region);
            self.push(Some(index), key.to_string(), kind, chars_of(value), fate);
        }
        self.none(index, message, region);
    }

    fn tools(&mut self, tools: &[Value]) {
        let everywhere = self.ledger.everywhere();
        for (at, tool) in tools.iter().enumerate() {
            let fate = calls::tool_fate(&mut self.ledger, tool, &everywhere);
            self.push(None, format!("tools[{at}]"), PartKind::Tool, chars_of(tool), fate);
        }
    }

    fn documents(&mut self, kwargs: &Map<String, Value>) {
        let everywhere = self.ledger.everywhere();
        for (at, document) in
            kwargs.get("documents").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            if let Some(text) = document.get("text").or(document.get("content")).and_then(Value::as_str) {
                self.text(None, format!("documents[{at}]"), PartKind::Document, text, &everywhere);
            }
        }
    }

    fn call(&mut self, index: usize, path: &str, call: &Value, region: &Range<usize>) {
        for (path, chars, fate) in calls::fates(&mut self.ledger, path, call, region) {
            self.push(Some(index), path, PartKind::Call, chars, fate);
        }
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests;
