//! Flags of messages that say whether they are learned, held against the labels.

use serde_json::Value;

use super::FLAGS;
use crate::chat::Conversation;
use crate::labels::{IGNORE_INDEX, Inspection};

/// A flag that the labels do not follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredFlag {
    pub message: usize,
    pub key: String,
    /// What the flag asks for.
    pub wanted: bool,
    /// Supervised tokens of the message's own text.
    pub supervised: usize,
}

impl IgnoredFlag {
    /// Every flag of a conversation that its labels go against.
    pub fn of(conversation: &Conversation, inspection: &Inspection) -> Vec<Self> {
        let Ok(labelled) = &inspection.result else { return Vec::new() };
        let mut found = Vec::new();
        for (message, value) in conversation.messages.iter().enumerate() {
            let Some((key, wanted)) = flag(value) else { continue };
            let Some(turn) = inspection.layout.turns.iter().find(|turn| turn.index == message) else {
                continue;
            };
            let tokens = labelled.spans.iter().zip(&labelled.labels);
            let own =
                tokens.filter(|(span, _)| span.start < turn.content.end && span.end > turn.content.start);
            let supervised = own.filter(|(_, label)| **label != IGNORE_INDEX).count();
            if (supervised > 0) != wanted && !turn.content.is_empty() {
                found.push(Self { message, key: key.to_string(), wanted, supervised });
            }
        }
        found
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Self { message, key, supervised, .. } = self;
        match self.wanted {
            true => format!("message {message}: {key} asks for it, and nothing of it is supervised"),
            false => {
                format!("message {message}: {key} says no, and {supervised} tokens of it are supervised")
            }
        }
    }
}

/// A message's flag; weights between nothing and one say neither.
fn flag(message: &Value) -> Option<(&'static str, bool)> {
    FLAGS.iter().find_map(|key| {
        let wanted = match message.get(*key)? {
            Value::Bool(flag) => *flag,
            Value::Number(number) if number.as_f64() == Some(0.0) => false,
            Value::Number(number) if number.as_f64() == Some(1.0) => true,
            _ => return None,
        };
        Some((*key, wanted != (*key == "masked")))
    })
}
