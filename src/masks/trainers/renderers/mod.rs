//! prime-rl renderers 0.1.12: conversations written token by token, each with the message it belongs to, and
//! `build_training_sample` of `renderers/base.py`, which makes a loss mask of that.
//!
//! | file | renderer |
//! | --- | --- |
//! | [`qwen3`], [`qwen35`], [`prime_qwen3`] | `qwen3`, `qwen3.5`, `prime-qwen3` |
//! | [`llama3`] | `llama-3` |
//! | [`deepseek`] | `deepseek-v3`, `deepseek-r1` |
//! | [`template`] | `default`, by the tokenizer's chat template |

mod content;
pub mod deepseek;
pub mod llama3;
pub mod prime_qwen3;
pub mod qwen3;
pub mod qwen35;
pub mod rendered;
pub mod template;
mod xml_calls;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::rendered::RenderedTokens;
use crate::masks::trainers::{PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::{MaskError, role};
use crate::tokenizer::TokenId;

/// A renderer's configuration, and the arguments of `build_training_sample`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RendererOptions {
    pub template: Name,
    pub enable_thinking: Option<bool>,
    /// Of use for bridges between turns alone.
    pub thinking_retention: Option<String>,
    pub date_string: Option<String>,
    pub tools_in_user_message: Option<bool>,
    /// Numbers images, of which a text has none.
    pub add_vision_id: Option<bool>,
    /// Only messages of this role are supervised.
    pub role_to_mask: Option<String>,
    /// Roles whose contents are supervised, without what stands around them.
    pub content_sft_roles: Vec<String>,
    pub ensure_final_stop: bool,
    pub message_loss_mask: Option<MessageMask>,
    /// Template variables of the `default` renderer.
    #[serde(flatten)]
    pub template_kwargs: Map<String, Value>,
}

/// Which messages are supervised at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum MessageMask {
    /// One flag a message.
    Flags(Vec<u8>),
    /// In words: all that can be said is "last message only".
    Words(String),
}

/// Which renderer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Name {
    #[default]
    #[serde(rename = "default")]
    Default,
    #[serde(rename = "qwen3")]
    Qwen3,
    #[serde(rename = "qwen3.5")]
    Qwen35,
    #[serde(rename = "prime-qwen3")]
    PrimeQwen3,
    #[serde(rename = "llama-3")]
    Llama3,
    #[serde(rename = "deepseek-v3")]
    DeepSeekV3,
    #[serde(rename = "deepseek-r1")]
    DeepSeekR1,
}

impl Name {
    /// The special tokens that its constructor looks for.
    fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::Qwen3 => &qwen3::TOKENS,
            Self::Qwen35 => &qwen35::TOKENS,
            Self::PrimeQwen3 => &prime_qwen3::TOKENS,
            Self::Llama3 => &llama3::TOKENS,
            Self::DeepSeekV3 | Self::DeepSeekR1 => &deepseek::TOKENS,
        }
    }

    /// The tokens that end an answer, the one that is appended first.
    fn stop_tokens(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::Qwen3 | Self::Qwen35 | Self::PrimeQwen3 => &["<|im_end|>", "<|endoftext|>"],
            Self::Llama3 => &["<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"],
            Self::DeepSeekV3 | Self::DeepSeekR1 => &["<｜end▁of▁sentence｜>"],
        }
    }
}

/// A renderer.
#[derive(Debug)]
pub struct Renderer<'a> {
    resources: Resources<'a>,
    options: RendererOptions,
}

impl<'a> Renderer<'a> {
    /// `create_renderer`.
    ///
    /// # Errors
    /// `AssertionError` for a special token that the vocabulary does not have.
    pub fn new(resources: Resources<'a>, options: RendererOptions) -> Result<Self, MaskError> {
        for token in options.template.tokens() {
            if resources.encoder.token_to_id(token).is_none() {
                let shown = crate::python::python_repr(token);
                let message = format!("Special token {shown} not found in tokenizer vocabulary");
                return Err(MaskError::python("AssertionError", message));
            }
        }
        if options.template != Name::Default && !options.template_kwargs.is_empty() {
            let unknown = options.template_kwargs.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(MaskError::Unfit(format!("this renderer has no option {unknown}")));
        }
        Ok(Self { resources, options })
    }

    /// `render`: tokens with their messages.
    ///
    /// # Errors
    /// `ValueError` and `TypeError` for messages that the renderer does not take.
    pub fn render(&self, messages: &[Value], tools: Option<&[Value]>) -> Result<RenderedTokens, MaskError> {
        if messages.is_empty() && self.options.template != Name::Default {
            return Err(MaskError::python("ValueError", "No messages provided."));
        }
        let thinking = self.options.enable_thinking.unwrap_or(true);
        match self.options.template {
            Name::Default => {
                template::render(&self.resources, messages, tools, &self.options.template_kwargs)
            }
            Name::Qwen3 => qwen3::render(&self.resources, messages, tools, thinking),
            Name::Qwen35 => qwen35::render(&self.resources, messages, tools, thinking),
            Name::PrimeQwen3 => prime_qwen3::render(&self.resources, messages, tools),
            Name::Llama3 => {
                let date = self.options.date_string.as_deref().unwrap_or("26 Jul 2024");
                let in_user = self.options.tools_in_user_message.unwrap_or(true);
                llama3::render(&self.resources, messages, tools, date, in_user)
            }
            Name::DeepSeekV3 => deepseek::render(&self.resources, messages, false),
            Name::DeepSeekR1 => deepseek::render(&self.resources, messages, true),
        }
    }

    /// `build_training_sample`: the loss mask of a rendering.
    fn sample(&self, messages: &[Value], rendered: RenderedTokens) -> Result<TrainingSequence, MaskError> {
        let options = &self.options;
        let in_role =
            |message: &Value| options.role_to_mask.as_deref().is_none_or(|wanted| role(message) == wanted);
        let has_sampled = rendered.sampled.len() == rendered.ids.len();
        let has_content = rendered.content.len() == rendered.ids.len();
        if options.role_to_mask.is_none() && !has_sampled {
            return Err(MaskError::python(
                "ValueError",
                "role_to_mask is required when the renderer does not populate sampled_mask. Pass an explicit role filter \
                 (e.g. lambda m: m['role'] == 'assistant') for this renderer.",
            ));
        }
        let flag = |flags: &[bool], at: usize| flags.get(at) == Some(&true);
        let target = |(at, owner): (usize, &Option<usize>)| {
            let Some(message) = owner.and_then(|owner| messages.get(owner)) else { return false };
            if has_content && options.content_sft_roles.iter().any(|wanted| role(message) == wanted) {
                return flag(&rendered.content, at);
            }
            (!has_sampled || flag(&rendered.sampled, at)) && in_role(message)
        };
        let targets: Vec<bool> = rendered.owners.iter().enumerate().map(target).collect();
        let mut sequence = TrainingSequence::new(rendered.ids, targets);
        let last = messages.last();
        if options.ensure_final_stop
            && has_sampled
            && last.is_some_and(|last| role(last) == "assistant" && in_role(last))
        {
            self.stop(&mut sequence);
        }
        if let Some(mask) = &options.message_loss_mask {
            let allowed = |owner: Option<usize>| owner.is_some_and(|at| mask.allows(at, messages.len()));
            for (at, target) in sequence.targets.iter_mut().enumerate() {
                let owner = rendered.owners.get(at).copied().unwrap_or(messages.len().checked_sub(1));
                *target &= allowed(owner);
            }
        }
        Ok(sequence)
    }

    /// A last answer that ends without a stop token gets one.
    fn stop(&self, sequence: &mut TrainingSequence) {
        let ids: Vec<TokenId> = self
            .options
            .template
            .stop_tokens()
            .iter()
            .filter_map(|token| self.resources.encoder.token_to_id(token))
            .collect();
        let last = sequence.targets.iter().rposition(|target| *target);
        let ended = last.and_then(|at| sequence.input_ids.get(at)).is_some_and(|id| ids.contains(id));
        if let Some(stop) = ids.first().filter(|_| !ended) {
            sequence.push([*stop], true);
        }
    }
}

impl MessageMask {
    fn allows(&self, index: usize, count: usize) -> bool {
        match self {
            Self::Flags(flags) => flags.get(index).is_some_and(|flag| *flag != 0),
            Self::Words(_) => index + 1 == count,
        }
    }
}

impl RowPreparer for Renderer<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let list = |key: &str| row.get(key).and_then(Value::as_array).map(Vec::as_slice);
        let messages = list("messages").unwrap_or_default();
        let rendered = self.render(messages, list("tools"))?;
        Ok(PreparedRow::one(self.sample(messages, rendered)?))
    }
}
