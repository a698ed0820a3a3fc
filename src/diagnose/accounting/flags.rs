//! Flags of messages that say whether they are learned, held against the labels.

use serde_json::Value;

use super::FLAGS;
use crate::chat::{Conversation, role};
use crate::labels::{IGNORE_INDEX, Inspection};
use crate::masks::Strategy;
use crate::masks::trainers::Trainer;

/// Flags whose truth takes a message out.
const NEGATIVE: [&str; 4] = ["masked", "is_masked", "ignore", "no_loss"];
/// Flags that are numbers by nature: a one on a question is what every message has, and asks for nothing.
const WEIGHTS: [&str; 4] = ["weight", "loss_weight", "loss_scale", "token_weight"];

/// What a flag asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wish {
    /// That the message is learned.
    Learned,
    /// That it is not.
    Masked,
    /// That its tokens count so many times.
    Weight(f64),
}

/// A flag that the labels do not follow.
#[derive(Debug, Clone, PartialEq)]
pub struct IgnoredFlag {
    pub message: usize,
    pub key: String,
    pub wish: Wish,
    /// Supervised tokens of the message's own text.
    pub supervised: usize,
}

impl IgnoredFlag {
    /// Every flag of a conversation that its labels go against.
    pub fn of(conversation: &Conversation, inspection: &Inspection, strategy: Strategy) -> Vec<Self> {
        let Ok(labelled) = &inspection.result else { return Vec::new() };
        // ms-swift's labels follow its weights, which are no part of a label.
        let weighs = strategy.trainer() == Some(Trainer::Swift);
        let mut found = Vec::new();
        for (message, value) in conversation.messages.iter().enumerate() {
            let Some((key, wish)) = flag(value) else { continue };
            let Some(turn) = inspection.layout.turns.iter().find(|turn| turn.index == message) else {
                continue;
            };
            let tokens = labelled.spans.iter().zip(&labelled.labels);
            let own =
                tokens.filter(|(span, _)| span.start < turn.content.end && span.end > turn.content.start);
            let supervised = own.filter(|(_, label)| **label != IGNORE_INDEX).count();
            let is_followed = match wish {
                Wish::Learned => supervised > 0 || (WEIGHTS.contains(&key) && role(value) != "assistant"),
                Wish::Masked => supervised == 0,
                Wish::Weight(_) => (weighs && supervised > 0) || role(value) != "assistant",
            };
            if !is_followed && !turn.content.is_empty() {
                found.push(Self { message, key: key.to_string(), wish, supervised });
            }
        }
        found
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Self { message, key, supervised, wish } = self;
        match wish {
            Wish::Learned => {
                format!("message {message}: {key} asks for it, and nothing of it is supervised")
            }
            Wish::Masked => {
                format!("message {message}: {key} says no, and {supervised} tokens of it are supervised")
            }
            Wish::Weight(weight) => format!(
                "message {message}: {key} asks for a weight of {weight}, and {supervised} tokens of it are supervised, each \
                 counting once"
            ),
        }
    }
}

/// A message's flag, as a boolean, a number or either in words.
fn flag(message: &Value) -> Option<(&'static str, Wish)> {
    FLAGS.iter().find_map(|key| {
        let is_negative = NEGATIVE.contains(key);
        let number = match message.get(*key)? {
            Value::Bool(flag) => f64::from(u8::from(*flag)),
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => match text.trim().to_lowercase().as_str() {
                "true" | "yes" | "on" => 1.0,
                "false" | "no" | "off" => 0.0,
                text => text.parse::<f64>().ok()?,
            },
            _ => return None,
        };
        let wish = match (number, is_negative) {
            (0.0, false) | (1.0, true) => Wish::Masked,
            (0.0, true) | (1.0, false) => Wish::Learned,
            (_, true) => return None,
            // ms-swift's names of rules are no numbers, and nothing below zero is a weight.
            (weight, false) if weight > 0.0 && weight.is_finite() => Wish::Weight(weight),
            _ => return None,
        };
        Some((*key, wish))
    })
}
