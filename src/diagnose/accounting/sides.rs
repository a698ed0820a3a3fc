//! The two sides of a preference row, and the one of a KTO row: what they say as a conversation, and what a preference
//! trainer can learn from their labels.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::chat::Body;
use crate::chat::{Conversation, Sample};
use crate::labels::{IGNORE_INDEX, Labelled};
use crate::tokenizer::TokenId;

/// What is wrong with the sides of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SideProblem {
    /// Both sides are the same tokens: their difference, which is what is trained, is nothing.
    Equal,
    /// The record itself has them apart, and max_length makes them equal.
    EqualAfterCut,
    /// Nothing of a side is supervised.
    Empty(&'static str),
    /// A side does not end with a token at which generation stops.
    NoStop(&'static str),
}

impl SideProblem {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Equal => "chosen and rejected are the same tokens: there is nothing to prefer".to_string(),
            Self::EqualAfterCut => {
                "chosen and rejected are the same tokens after the cut at max_length: there is nothing to prefer".to_string()
            }
            Self::Empty(side) => format!("nothing of the {side} side is supervised"),
            Self::NoStop(side) => format!("the {side} side does not end with a token at which generation stops"),
        }
    }
}

/// The messages of a preference row, side by side: the prompt stands before each.
pub fn conversation(sample: &Sample) -> Option<Conversation> {
    let Body::Preference(row) = &sample.body else { return None };
    let messages = |key: &str, role: &str| match row.get(key) {
        Some(Value::Array(messages)) => messages.clone(),
        Some(Value::String(text)) => vec![json!({"role": role, "content": text})],
        _ => Vec::new(),
    };
    let prompt = messages("prompt", "user");
    let sides = ["chosen", "rejected", "completion"].into_iter().filter(|key| row.contains_key(*key));
    let all = sides.flat_map(|key| [prompt.clone(), messages(key, "assistant")].concat()).collect();
    Some(Conversation {
        messages: all,
        tools: row.get("tools").and_then(Value::as_array).cloned(),
        kwargs: Map::new(),
    })
}

/// What is wrong with the sides of a row, by its labels.
pub fn problems(sample: &Sample, labelled: &Labelled, stops: &[TokenId], is_cut: bool) -> Vec<SideProblem> {
    let Body::Preference(row) = &sample.body else { return Vec::new() };
    let side = |name: &'static str| {
        let note = labelled.notes.iter().find(|note| note.text.starts_with(&format!("the {name} side")));
        note.map(|note| (name, note.tokens.clone()))
    };
    let mut sides: Vec<(&'static str, Range<usize>)> =
        ["chosen", "rejected"].into_iter().filter_map(side).collect();
    if sides.is_empty() {
        sides.push(("only", 0..labelled.input_ids.len()));
    }
    let mut problems = Vec::new();
    let ids = |range: &Range<usize>| labelled.input_ids.get(range.clone()).unwrap_or_default();
    let labels = |range: &Range<usize>| labelled.labels.get(range.clone()).unwrap_or_default();
    if let [(_, chosen), (_, rejected)] = sides.as_slice()
        && ids(chosen) == ids(rejected)
        && labels(chosen) == labels(rejected)
    {
        let same = row.get("chosen") == row.get("rejected");
        problems.push(if same { SideProblem::Equal } else { SideProblem::EqualAfterCut });
    }
    for (name, range) in &sides {
        let learned: Vec<i64> =
            labels(range).iter().copied().filter(|label| *label != IGNORE_INDEX).collect();
        let is_stop = |label: &&i64| stops.iter().any(|stop| i64::from(*stop) == **label);
        // White space may stand behind the token that ends a turn.
        match learned.iter().rev().take(3).find(is_stop) {
            _ if learned.is_empty() => problems.push(SideProblem::Empty(name)),
            None if !stops.is_empty() && !is_cut => problems.push(SideProblem::NoStop(name)),
            _ => {}
        }
    }
    problems
}
