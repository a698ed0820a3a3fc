//! Which of ms-swift's formats belongs to a chat template: the one whose ids have most in common with the template's.

use serde_json::{Map, Value, json};
use similar::{Algorithm, capture_diff_slices, diff_ratio};

use super::format::SwiftFormat;
use super::{SwiftOptions, SwiftTemplate};
use crate::masks::trainers::Resources;
use crate::masks::{Call, Chat, MaskError};

/// Below this the ids of a format have too little in common with the template's.
const ENOUGH: f32 = 0.5;

/// The format whose ids of two plain rounds share most with the chat template's: twice the ids in common by all ids, as
/// Python's difflib has it, so that a bos more counts less than a block of thought more.
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
        let changes = capture_diff_slices(Algorithm::Myers, own, &ids);
        Some(diff_ratio(&changes, own.len(), ids.len()))
    };
    // The first of equals: the table lists the plain ones before their variants.
    let mut best: Option<(f32, &str)> = None;
    for name in SwiftFormat::names() {
        let Some(score) = shared(name) else { continue };
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, name));
        }
    }
    best.filter(|(score, _)| *score >= ENOUGH).map(|(_, name)| name).ok_or_else(|| {
        let known = SwiftFormat::names().collect::<Vec<_>>().join(", ");
        MaskError::Unfit(format!(
            "none of ms-swift's formats writes turns like this template; known are {known}"
        ))
    })
}
