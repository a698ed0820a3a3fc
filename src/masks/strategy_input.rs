//! What a strategy gets beside the conversation: a tokenizer, and what it may ask of the template.

use serde_json::{Map, Value};

use super::encoder::Encoder;
use super::llamafactory::SlotTemplate;
use super::markers::Markers;
use super::{Chat, EncodedText, MaskError, StrategySettings};
use crate::tokenizer::TokenId;

/// What a strategy gets beside the conversation.
pub(super) struct StrategyInput<'a> {
    pub encoder: &'a dyn Encoder,
    /// The template that fits the sample, with the tokenizer; an error where there is none.
    pub chat: &'a dyn Fn() -> Result<Chat<'a>, MaskError>,
    /// Ids of the rendered text, for strategies that search in them, and that text.
    pub input_ids: &'a dyn Fn() -> Result<(Vec<TokenId>, EncodedText), MaskError>,
    /// Markers of the template, unless they are set.
    pub markers: &'a dyn Fn() -> Result<Markers, MaskError>,
    /// LLaMA-Factory's template that writes turns as the chat template does, unless one is set.
    pub slots: &'a dyn Fn() -> Result<SlotTemplate, MaskError>,
    pub settings: &'a StrategySettings,
    /// `special_tokens_map` of the tokenizer.
    pub special_tokens: &'a Map<String, Value>,
}
