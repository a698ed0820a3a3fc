//! What a trainer is started with: a tokenizer, its special tokens, and its chat template.

use serde_json::{Map, Value};

use crate::chat::Conversation;
use crate::chat::jinja::{ChatTemplate, Clock, Inputs};
use crate::masks::encoder::Encoder;
use crate::masks::{Chat, MaskError};
use crate::tokenizer::TokenId;

/// The tokenizer object of a run.
#[derive(Clone, Copy)]
pub struct Resources<'a> {
    pub encoder: &'a dyn Encoder,
    /// `special_tokens_map` of the tokenizer.
    pub special_tokens: &'a Map<String, Value>,
    /// The tokenizer's chat template; `None` where it has none.
    pub template: Option<&'a ChatTemplate>,
    /// For templates that are compiled on the way.
    pub clock: Clock,
}

impl std::fmt::Debug for Resources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resources")
            .field("template", &self.template.map(ChatTemplate::name))
            .finish_non_exhaustive()
    }
}

/// One call of `apply_chat_template`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderCall<'r> {
    pub messages: &'r [Value],
    pub tools: Option<&'r [Value]>,
    pub kwargs: Option<&'r Map<String, Value>>,
    pub add_generation_prompt: bool,
    /// Used instead of the tokenizer's own.
    pub template: Option<&'r ChatTemplate>,
}

impl<'a> Resources<'a> {
    fn template<'r>(&self, given: Option<&'r ChatTemplate>) -> Result<&'r ChatTemplate, MaskError>
    where
        'a: 'r,
    {
        let missing = || {
            MaskError::python(
                "ValueError",
                "Cannot use chat template functions because tokenizer.chat_template is not set and no template argument \
                 was passed! For information about writing templates and setting the tokenizer.chat_template \
                 attribute, please see the documentation at \
                 https://huggingface.co/docs/transformers/main/en/chat_templating",
            )
        };
        given.or(self.template).ok_or_else(missing)
    }

    /// `apply_chat_template(…, tokenize=False)`.
    ///
    /// # Errors
    /// What the template raises; `ValueError` where there is none.
    pub fn render(&self, call: &RenderCall) -> Result<String, MaskError> {
        let inputs = Inputs {
            messages: call.messages,
            tools: call.tools,
            special_tokens: Some(self.special_tokens),
            kwargs: call.kwargs,
            add_generation_prompt: call.add_generation_prompt,
            ..Inputs::default()
        };
        Ok(self.template(call.template)?.text(&inputs)?)
    }

    /// `apply_chat_template(…, tokenize=True)`.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_ids(&self, call: &RenderCall) -> Result<Vec<TokenId>, MaskError> {
        self.ids(&self.render(call)?)
    }

    /// `apply_chat_template(…, return_assistant_tokens_mask=True)`: the ids, and whether each is in a
    /// `{% generation %}` block.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_assistant_mask(&self, call: &RenderCall) -> Result<(Vec<TokenId>, Vec<bool>), MaskError> {
        let chat = Chat {
            template: self.template(call.template)?,
            encoder: self.encoder,
            special_tokens: self.special_tokens,
        };
        let conversation = Conversation {
            messages: call.messages.to_vec(),
            tools: call.tools.map(<[Value]>::to_vec),
            kwargs: call.kwargs.cloned().unwrap_or_default(),
        };
        let masked = crate::masks::hf_generation::label(&chat, &conversation, None)?;
        let mask = masked.labels.iter().map(|label| *label != crate::masks::IGNORE_INDEX).collect();
        Ok((masked.input_ids, mask))
    }

    /// `tokenizer(text, add_special_tokens=False)`.
    ///
    /// # Errors
    /// What the tokenizer cannot encode.
    pub fn ids(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        Ok(self.encoder.ids(text)?)
    }

    /// ids of a text in which no special token is looked for (tiktoken's `encode_ordinary`, SentencePiece).
    ///
    /// # Errors
    /// As [`Self::ids`].
    pub fn ordinary_ids(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        Ok(self.encoder.ordinary_ids(text)?)
    }

    /// `tokenizer(text)`, special tokens added.
    ///
    /// # Errors
    /// As [`Self::ids`].
    pub fn ids_with_special_tokens(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        Ok(self.encoder.encode(text, true)?.ids)
    }

    /// The text of a role such as `eos_token`.
    pub fn special(&self, role: &str) -> Option<&'a str> {
        self.special_tokens.get(role).and_then(Value::as_str)
    }

    /// The text of eos, as trainers take it for granted.
    ///
    /// # Errors
    /// `TypeError`, as `str.endswith(None)` raises.
    pub fn eos_text(&self) -> Result<&'a str, MaskError> {
        self.special("eos_token").ok_or_else(|| {
            let message = "endswith first arg must be str or a tuple of str, not NoneType";
            MaskError::python("TypeError", message)
        })
    }
}
