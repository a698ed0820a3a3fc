//! Mask strategies of today's trainers: which tokens of a templated conversation are supervised.
//!
//! Every strategy is one file and reproduces one trainer's code, bugs included; its `//!` names the
//! source. They share [`Chat`] (template + tokenizer), [`Conversation`] and [`Masked`] (the
//! result):
//!
//! | strategy | function |
//! | --- | --- |
//! | `{% generation %}` tags (transformers, TRL `assistant_only_loss`) | [`hf_generation::label`] |
//! | prefix difference by text, counts, last turn, prompt-completion | [`prefix`] |
//! | response-template search | [`trl_collator::label`], [`unsloth::label`] |
//! | encode each turn and concatenate | [`llamafactory::label`] |
//! | a trainer's whole data path, from the row on | [`trainers`] |
//! | LLaVA-NeXT's own preprocess functions | [`llava_next`] |
//! | content found by dummy messages | [`axolotl::label`] |
//!
//! [`anatomy`] measures where every message lies in the rendered text and what each token of it is; on it,
//! [`compare`] puts all strategies under one line of tokens, and [`overlay`] lays the generation prompt over it.
//!
//! [`image_tokens`] counts the placeholders of an image. An exception of the emulated code is
//! [`MaskError::Python`]: a result to show,
//! not a failure of ours. Labels are the id, or [`IGNORE_INDEX`], except where a strategy says that its
//! labels differ from the ids (LLaMA-Factory's `efficient_eos`).

pub mod anatomy;
mod assemble;
pub mod axolotl;
pub mod compare;
mod control_tokens;
pub mod encoder;
pub mod hf_generation;
mod ids_alone;
pub mod image_tokens;
mod inspect;
mod labeller;
mod layout;
pub mod llamafactory;
pub mod llava_next;
pub mod markers;
mod masked;
mod method;
pub mod overlay;
pub mod prefix;
mod preset_labels;
mod settings;
mod strategy;
mod strategy_input;
mod template_reads;
#[cfg(test)]
mod tests;
mod trainer_path;
pub mod trainers;
pub mod trl_collator;
pub mod unsloth;

use serde_json::{Map, Value};

pub use crate::labels::{IGNORE_INDEX, Note};
pub use control_tokens::ControlTokens;
pub use ids_alone::{inspect_ids, recovered};
pub use labeller::Labeller;
pub use masked::{EncodedText, Masked};
pub use method::{Method, Rendering, Templates};
pub use preset_labels::inspect_preset_labels;
pub use settings::{KEYS, StrategySettings};
pub use strategy::{Origin, Strategy};
pub use template_reads::TemplateReads;

use self::encoder::{Encoded, Encoder};
use crate::chat::Conversation;
use crate::chat::jinja::{ChatTemplate, Inputs, PythonException, Rendered, TemplateError};
pub(crate) use crate::chat::{content, role};
use crate::tokenizer::TokenId;

/// Why a strategy gave no labels.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The trainer's code raises this.
    #[error("{0}")]
    Python(PythonException),
    /// The strategy needs tokens or turns that are not there; its trainer would not be used here.
    #[error("does not apply: {0}")]
    Unfit(String),
    /// The trainer drops the row with a warning.
    #[error("the trainer drops this sample: {0}")]
    Dropped(String),
    /// The template could not be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer refused a text.
    #[error(transparent)]
    Tokenizer(#[from] crate::Error),
}

impl MaskError {
    /// An exception of the emulated code.
    pub fn python(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Python(PythonException::new(kind, message))
    }

    /// The Python exception behind the error, if there is one.
    pub fn exception(&self) -> Option<&PythonException> {
        match self {
            Self::Python(exception) => Some(exception),
            Self::Template(error) => error.exception(),
            Self::Tokenizer(_) | Self::Dropped(_) | Self::Unfit(_) => None,
        }
    }
}

/// A chat template and a tokenizer: what `apply_chat_template` needs.
#[derive(Clone, Copy)]
pub struct Chat<'a> {
    pub template: &'a ChatTemplate,
    pub encoder: &'a dyn Encoder,
    /// `special_tokens_map` of the tokenizer.
    pub special_tokens: &'a Map<String, Value>,
}

impl std::fmt::Debug for Chat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("template", &self.template.name()).finish_non_exhaustive()
    }
}

/// One call of `apply_chat_template`.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub messages: &'a [Value],
    pub tools: Option<&'a [Value]>,
    pub kwargs: Option<&'a Map<String, Value>>,
    pub add_generation_prompt: bool,
}

impl<'a> Call<'a> {
    /// The whole sample with its tools and variables.
    pub fn whole(sample: &'a Conversation) -> Self {
        Self {
            messages: &sample.messages,
            tools: sample.tools.as_deref(),
            kwargs: Some(&sample.kwargs),
            add_generation_prompt: false,
        }
    }

    /// The first `count` messages, with or without the prompt for an answer.
    pub fn prefix(self, count: usize, add_generation_prompt: bool) -> Self {
        let messages = self.messages.get(..count).unwrap_or(self.messages);
        Self { messages, add_generation_prompt, ..self }
    }
}

impl Chat<'_> {
    /// `apply_chat_template(…, tokenize=False)` with the generation spans.
    pub fn render(&self, call: Call) -> Result<Rendered, MaskError> {
        Ok(self.template.render(&self.inputs(&call))?)
    }

    /// The rendered text alone.
    pub fn text(&self, call: Call) -> Result<String, MaskError> {
        Ok(self.template.text(&self.inputs(&call))?)
    }

    fn inputs<'c>(&'c self, call: &Call<'c>) -> Inputs<'c> {
        Inputs {
            messages: call.messages,
            tools: call.tools,
            special_tokens: Some(self.special_tokens),
            kwargs: call.kwargs,
            add_generation_prompt: call.add_generation_prompt,
            ..Inputs::default()
        }
    }

    /// The rendered text, encoded: its ids, and the text with what belongs to it.
    pub fn encoded(&self, call: Call) -> Result<(Vec<TokenId>, EncodedText), MaskError> {
        let rendered = self.render(call)?;
        let encoded = self.encode(&rendered.text)?;
        Ok(EncodedText::new(rendered, encoded))
    }

    /// `tokenizer(text, add_special_tokens=False)`.
    pub fn encode(&self, text: &str) -> Result<Encoded, MaskError> {
        Ok(self.encoder.encode(text, false)?)
    }

    /// The ids alone.
    pub fn ids(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        Ok(self.encode(text)?.ids)
    }
}

/// Most text that one sample may make a strategy render, in bytes. Prefixes and dummies cost a rendering a
/// message, so a hostile sample of many messages would take hours.
const MAX_RENDERED: usize = 1 << 30;

/// Refuses a sample whose `renderings` of a text of `len` bytes would take too long.
pub(crate) fn affordable(renderings: usize, len: usize) -> Result<(), MaskError> {
    if renderings.saturating_mul(len) <= MAX_RENDERED {
        return Ok(());
    }
    let limit = MAX_RENDERED >> 20;
    let message = format!(
        "{renderings} renderings of {len} bytes are more than {limit} MiB: split this conversation before masking it"
    );
    Err(MaskError::Tokenizer(crate::Error::Usage(message)))
}

/// Start positions of `needle` in `ids`, overlapping ones too.
pub(crate) fn occurrences<'n, T: PartialEq>(
    ids: &'n [T],
    needle: &'n [T],
) -> impl Iterator<Item = usize> + 'n {
    let width = needle.len().max(1);
    ids.windows(width).enumerate().filter(move |(_, window)| *window == needle).map(|(at, _)| at)
}
