//! Every part of a conversation, found in its rendered prompt or named as lost.
//!
//! ```text
//! Conversation ── parts ──► content, thoughts, tool calls, tools, names, unknown keys
//!                              │
//! prompt, its turns ── Ledger ─┴─► LedgerEntry { path, fate }    each byte of the prompt accounts for one part at most
//! ```
//!
//! A part is looked for in the turn of its own message first, then in what no other part has claimed of the rest, so that
//! a text that stands twice in a record has to stand twice in the prompt. Only a search in texts: nothing is rendered.

mod calls;
mod controls;
mod entry;
mod fate;
mod flags;
mod grams;
mod ledger;
mod media;
mod record;
mod sides;
mod spelling;
mod thoughts;

use std::ops::Range;

use serde_json::{Map, Value};

pub use controls::ControlToken;
pub use entry::LedgerEntry;
pub use fate::{Fate, PartKind};
pub use flags::IgnoredFlag;
pub use media::MediaAccount;
pub use record::{FoundPart, RecordAccount, Weight, lost_of, pattern, texts_taken_out};
pub use sides::SideProblem;

use crate::chat::{Conversation, MediaKind, PromptLayout, REASONING_KEYS, role};
use ledger::Ledger;
use spelling::chars_of;
use thoughts::ThoughtStretch;

/// Keys of a message that name things and say nothing: no trainer wants them in a text.
const NAMES: [&str; 10] =
    ["role", "from", "id", "tool_call_id", "type", "uuid", "created_at", "timestamp", "index", "call_id"];

/// Keys that say whether a message is learned; strategies read them, templates do not.
pub const FLAGS: [&str; 18] = [
    "train",
    "training",
    "trainable",
    "is_trainable",
    "do_train",
    "should_train",
    "learn",
    "supervised",
    "loss",
    "loss_mask",
    "loss_scale",
    "loss_weight",
    "token_weight",
    "weight",
    "masked",
    "is_masked",
    "ignore",
    "no_loss",
];

/// Other keys under which a message says something that the model should learn or read.
const SAYING: [&str; 7] =
    ["function_call", "reasoning_details", "thought", "thoughts", "rationale", "refusal", "analysis"];

/// All parts of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub entries: Vec<LedgerEntry>,
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

    /// Columns of a record that nothing reads, where the text does not say the same.
    pub fn of_columns(unread: &[(&'static str, Value)], prompt: &str) -> Vec<LedgerEntry> {
        let mut ledger = Ledger::new(prompt);
        let everywhere = ledger.everywhere();
        let entry = |(key, value): &(&'static str, Value)| {
            let fate = ledger.value(value, &everywhere);
            let (path, chars) = (key.to_string(), chars_of(value));
            LedgerEntry { message: None, path, kind: PartKind::Saying, chars, fate, in_history: false }
        };
        unread.iter().map(entry).filter(|entry| !entry.fate.is_found()).collect()
    }

    /// The parts that are not in the text as they are in the record.
    pub fn lost(&self) -> impl Iterator<Item = &LedgerEntry> {
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
    entries: Vec<LedgerEntry>,
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
        self.entries.push(LedgerEntry { message, path, kind, chars, fate, in_history });
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
            Some(Value::String(text)) => match calls::written(message) {
                Some(call) if self.ledger.find(text.trim(), region).is_none() => {
                    self.call(index, "content", &call, region);
                }
                _ => self.said(index, message, "content".to_string(), text, region),
            },
            Some(list @ Value::Array(parts)) => self.parts(index, message, (list, parts), region),
            Some(object @ Value::Object(_)) => {
                let fate = self.ledger.value(object, region);
                self.push(Some(index), "content".into(), PartKind::Content, chars_of(object), fate);
            }
            _ => {}
        }
    }

    fn parts(
        &mut self,
        index: usize,
        message: &Value,
        (list, parts): (&Value, &[Value]),
        region: &Range<usize>,
    ) {
        if let Some(printed) = self.ledger.as_python(list, region) {
            let fate = Fate::AsPython(printed);
            return self.push(Some(index), "content".into(), PartKind::Content, chars_of(list), fate);
        }
        for (at, part) in parts.iter().enumerate() {
            let path = format!("content[{at}]");
            match (part, part.get("text"), part.get("thinking").or_else(|| part.get("reasoning"))) {
                (Value::String(text), ..) => self.said(index, message, path, text, region),
                (_, Some(Value::String(text)), _) => self.said(index, message, path + ".text", text, region),
                (_, _, Some(Value::String(text))) => {
                    self.text(Some(index), path + ".thinking", PartKind::Thought, text, region);
                }
                _ if MediaKind::ALL.iter().any(|kind| kind.part_type(part).is_some()) => {}
                _ => self.other_part(index, &path, part, region),
            }
        }
    }

    /// A part that is neither text nor thought nor medium: a call of a tool, its result, a file.
    fn other_part(&mut self, index: usize, path: &str, part: &Value, region: &Range<usize>) {
        let part_type = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = if part_type.contains("tool") { PartKind::Call } else { PartKind::Content };
        let fields: Map<String, Value> = part
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| {
                !says_nothing(value) && (key.as_str() == "name" || !NAMES.contains(&key.as_str()))
            })
            .filter(|(key, _)| !["tool_use_id", "cache_control", "citations"].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !fields.is_empty() {
            let fields = Value::Object(fields);
            let fate = self.ledger.value(&fields, region);
            let path = if part_type.is_empty() { path.to_string() } else { format!("{path} ({part_type})") };
            self.push(Some(index), path, kind, chars_of(&fields), fate);
        }
    }

    /// What a message says, the thoughts in it apart: templates cut those off.
    fn said(&mut self, index: usize, message: &Value, path: String, text: &str, region: &Range<usize>) {
        let is_answer = !matches!(role(message), "user" | "system" | "tool" | "developer" | "function");
        let Some(stretches) = thoughts::parted(text, is_answer) else {
            return self.text(Some(index), path, PartKind::Content, text, region);
        };
        let last = stretches.iter().rposition(|stretch| matches!(stretch, ThoughtStretch::Said(_)));
        let mut order: Vec<(usize, ThoughtStretch<'_>)> = stretches.into_iter().enumerate().collect();
        // A short answer may stand in a long thought: the long one is found first.
        order.sort_by_key(|(_, stretch)| std::cmp::Reverse(stretch.text().len()));
        for (at, stretch) in order {
            let (path, kind) = match stretch {
                ThoughtStretch::Thought(_) => (format!("{path}, the thought in it"), PartKind::Thought),
                ThoughtStretch::Said(_) if Some(at) == last => (path.clone(), PartKind::Content),
                ThoughtStretch::Said(_) => (format!("{path}, before the thought"), PartKind::Content),
            };
            self.text(Some(index), path, kind, stretch.text(), region);
        }
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
        // What else of the message is a null, or says the word.
        let others = message.as_object().into_iter().flatten().filter(|(key, _)| *key != "content");
        let mut expected = 0;
        for (_, value) in others {
            ledger::leaves(value, &mut |leaf| {
                expected += match leaf {
                    Value::Null => 1,
                    Value::String(text) => text.matches("None").count() + text.matches("null").count(),
                    _ => 0,
                };
            });
        }
        if self.ledger.words("None", region) > expected {
            self.push(Some(index), path, PartKind::Content, 0, Fate::AsPython("None".into()));
        }
    }

    fn rest(&mut self, index: usize, message: &Value, region: &Range<usize>) {
        let fields = message.as_object();
        self.thoughts(index, message, region);
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

    /// The reasoning of a message, under each of its names; a copy under a second name is none of its own.
    fn thoughts(&mut self, index: usize, message: &Value, region: &Range<usize>) {
        let mut seen: Vec<&Value> = Vec::new();
        for key in REASONING_KEYS {
            let Some(value) = message.get(key).filter(|value| !says_nothing(value)) else { continue };
            if seen.contains(&value) {
                continue;
            }
            seen.push(value);
            match value {
                Value::String(text) => {
                    self.text(Some(index), key.to_string(), PartKind::Thought, text, region);
                }
                value => {
                    let fate = self.ledger.value(&thoughts::said_in(value), region);
                    self.push(Some(index), key.to_string(), PartKind::Thought, chars_of(value), fate);
                }
            }
        }
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
