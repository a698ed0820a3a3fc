//! Which of ms-swift's formats belongs to a chat template: the one whose ids agree longest.

use serde_json::{Map, Value, json};

use super::format::SwiftFormat;
use super::{SwiftOptions, SwiftTemplate};
use crate::masks::trainers::Resources;
use crate::masks::{Call, Chat, MaskError};

/// The format whose ids of two plain rounds share most with the chat template's.
///
/// # Errors
/// [`MaskError::Unfit`] where none comes near, and what the chat template raises.
pub fn format_like(chat: &Chat) -> Result<&'static str, MaskError> {
    let messages = json!([
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three."},
        {"role": "assistant", "content": "Four."},
    ]);
    let turns = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    let call = Call { messages: turns, tools: None, kwargs: None, add_generation_prompt: false };
    let ids = chat.ids(&chat.text(call)?)?;
    let row: Map<String, Value> = Map::from_iter([("messages".to_string(), messages.clone())]);
    let shared = |name: &str| {
        let resources = Resources {
            encoder: chat.encoder,
            special_tokens: chat.special_tokens,
            template: Some(chat.template),
            clock: chat.template.clock(),
        };
        let options = SwiftOptions { template: name.to_string(), ..SwiftOptions::default() };
        let sequences = SwiftTemplate::new(resources, options).ok()?.sequences(&row).ok()?;
        let own = &sequences.first()?.input_ids;
        let front = own.iter().zip(&ids).take_while(|(a, b)| a == b).count();
        let back = own.iter().rev().zip(ids.iter().rev()).take_while(|(a, b)| a == b).count();
        Some(if *own == ids { usize::MAX } else { (front + back).min(ids.len()) })
    };
    // The first of equals: the table lists the plain ones before their variants.
    let mut best: Option<(usize, &str)> = None;
    for name in SwiftFormat::names() {
        let Some(score) = shared(name) else { continue };
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, name));
        }
    }
    let enough = ids.len() / 2;
    best.filter(|(score, _)| *score >= enough).map(|(_, name)| name).ok_or_else(|| {
        let known = SwiftFormat::names().collect::<Vec<_>>().join(", ");
        MaskError::Unfit(format!(
            "none of ms-swift's formats writes turns like this template; known are {known}"
        ))
    })
}
