//! Which of LLaMA-Factory's slot templates belongs to a chat template: the one whose ids agree longest.

use serde_json::json;

use super::{LlamaFactoryOptions, SlotTemplate, TEMPLATES, label};
use crate::masks::{Call, Chat, MaskError};

/// The slot template whose ids of two plain rounds share most with the chat template's.
///
/// # Errors
/// [`MaskError::Unfit`] where not even the first tokens agree.
pub fn slot_template(chat: &Chat) -> Result<SlotTemplate, MaskError> {
    let messages = [
        json!({"role": "user", "content": "One."}),
        json!({"role": "assistant", "content": "Two."}),
        json!({"role": "user", "content": "Three."}),
        json!({"role": "assistant", "content": "Four."}),
    ];
    let call = Call { messages: &messages, tools: None, kwargs: None, add_generation_prompt: false };
    let ids = chat.ids(&chat.text(call)?)?;
    let options = LlamaFactoryOptions {
        cutoff_len: usize::MAX >> 1,
        enable_thinking: Some(false),
        ..LlamaFactoryOptions::default()
    };
    let shared = |template: &SlotTemplate| {
        let own = label(chat.encoder, template, &messages, &[], &options).ok()?.input_ids;
        let front = own.iter().zip(&ids).take_while(|(a, b)| a == b).count();
        let back = own.iter().rev().zip(ids.iter().rev()).take_while(|(a, b)| a == b).count();
        Some(if own == ids { usize::MAX } else { (front + back).min(ids.len()) })
    };
    // The first of equals: the table lists the plain ones before their variants.
    let mut best: Option<(usize, SlotTemplate)> = None;
    for template in TEMPLATES {
        let Some(score) = shared(template) else { continue };
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, *template));
        }
    }
    let enough = ids.len() / 2;
    best.filter(|(score, _)| *score >= enough).map(|(_, template)| template).ok_or_else(|| {
        MaskError::Unfit(
            "none of LLaMA-Factory's slot templates known here writes turns like this template".into(),
        )
    })
}
