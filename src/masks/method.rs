//! [`Method`]: a chat template, a strategy and their settings, ready to label samples.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::control_tokens::ControlTokens;
use super::encoder::Encoder;
use super::layout::{by_content, of_template};
use super::llamafactory::{SlotTemplate, TEMPLATES, slot_template};
use super::markers::{self, Markers};
use super::strategy_input::StrategyInput;
use super::template_reads::TemplateReads;
use super::trainers::Trainer;
use super::{Call, Chat, EncodedText, MaskError, Masked, Strategy, StrategySettings, trainer_path};
use crate::chat::jinja::{ChatTemplate, ContinueFinalMessage, Inputs, PythonException, Rendered};
use crate::chat::{Conversation, PromptLayout};
use crate::tokenizer::{Role, Tokenizer};

/// The templates that a model may need: transformers takes another one for samples with tools, where there is one.
#[derive(Debug)]
pub struct Templates {
    /// As a title names them.
    pub name: String,
    pub plain: Result<ChatTemplate, PythonException>,
    /// `None`: samples with tools take the plain one.
    pub tool_use: Option<ChatTemplate>,
}

impl Templates {
    /// One template for everything.
    pub fn one(template: ChatTemplate) -> Self {
        Self { name: template.name().to_string(), plain: Ok(template), tool_use: None }
    }

    /// The template that a sample gets.
    ///
    /// # Errors
    /// Python's exception where the model has none that fits.
    pub fn for_sample(&self, sample: &Conversation) -> Result<&ChatTemplate, MaskError> {
        match (&self.tool_use, &self.plain) {
            (Some(template), _) if sample.tools.is_some() => Ok(template),
            (_, plain) => plain.as_ref().map_err(|e| MaskError::Python(e.clone())),
        }
    }
}

/// How a conversation is rendered beyond its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendering {
    pub add_generation_prompt: bool,
    pub continue_final_message: ContinueFinalMessage,
    /// Template variables; they win over the sample's own of the same name.
    pub kwargs: Map<String, Value>,
}

/// Everything that decides how samples of messages are labelled.
#[derive(Debug)]
pub struct Method {
    pub templates: Templates,
    pub strategy: Strategy,
    /// The strategy was not asked for by name: samples that bring their own labels keep them.
    pub auto: bool,
    pub settings: StrategySettings,
    pub rendering: Rendering,
    /// `special_tokens_map` of the tokenizer.
    pub special_tokens: Map<String, Value>,
    /// The template's markers, looked for once.
    markers: OnceLock<Markers>,
    /// LLaMA-Factory's template that fits, looked for once.
    slots: OnceLock<SlotTemplate>,
    /// What the template reads, looked for once.
    reads: OnceLock<TemplateReads>,
    /// The search for special tokens in texts, made once.
    controls: OnceLock<ControlTokens>,
}

impl Method {
    /// A strategy with a template; nothing is rendered yet.
    pub fn new(templates: Templates, strategy: Strategy, tokenizer: &Tokenizer) -> Self {
        Self {
            templates,
            strategy,
            auto: false,
            settings: StrategySettings::default(),
            rendering: Rendering::default(),
            special_tokens: special_tokens_map(tokenizer),
            markers: OnceLock::new(),
            slots: OnceLock::new(),
            reads: OnceLock::new(),
            controls: OnceLock::new(),
        }
    }

    /// True where both label alike: the same template texts, strategy and settings.
    pub fn is_same(&self, other: &Self) -> bool {
        let sources = |method: &Self| {
            let templates = &method.templates;
            let plain = templates.plain.as_ref().map(|t| t.source().to_string()).map_err(Clone::clone);
            (plain, templates.tool_use.as_ref().map(|t| t.source().to_string()))
        };
        self.strategy == other.strategy
            && self.settings == other.settings
            && self.rendering == other.rendering
            && sources(self) == sources(other)
    }

    /// The template and tokenizer for a sample.
    ///
    /// # Errors
    /// Where the model has no template that fits.
    pub fn chat<'a>(
        &'a self,
        encoder: &'a dyn Encoder,
        sample: &Conversation,
    ) -> Result<Chat<'a>, MaskError> {
        let template = self.templates.for_sample(sample)?;
        Ok(Chat { template, encoder, special_tokens: &self.special_tokens })
    }

    /// The sample with the template variables that were asked for.
    pub fn with_kwargs(&self, mut sample: Conversation) -> Conversation {
        sample.kwargs.extend(self.rendering.kwargs.clone());
        sample
    }

    /// The text that a model gets for a sample, generation prompt and all.
    ///
    /// # Errors
    /// What the template raises.
    pub fn text(&self, sample: &Conversation) -> Result<String, MaskError> {
        self.text_of(&self.templates, sample)
    }

    /// The same by other templates than the method's own.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn text_of(&self, templates: &Templates, sample: &Conversation) -> Result<String, MaskError> {
        Ok(self.rendered(templates, sample)?.text)
    }

    fn rendered(&self, templates: &Templates, sample: &Conversation) -> Result<Rendered, MaskError> {
        self.rendered_by(templates.for_sample(sample)?, sample)
    }

    fn rendered_by(&self, template: &ChatTemplate, sample: &Conversation) -> Result<Rendered, MaskError> {
        let inputs = Inputs {
            messages: &sample.messages,
            tools: sample.tools.as_deref(),
            special_tokens: Some(&self.special_tokens),
            kwargs: Some(&sample.kwargs),
            add_generation_prompt: self.rendering.add_generation_prompt,
            continue_final_message: self.rendering.continue_final_message.clone(),
            ..Inputs::default()
        };
        Ok(template.render(&inputs)?)
    }

    /// The markers of the template.
    ///
    /// # Errors
    /// A template that they cannot be read off.
    pub fn markers(&self, encoder: &dyn Encoder) -> Result<Markers, MaskError> {
        if let Some(found) = self.markers.get() {
            return Ok(found.clone());
        }
        let found = markers::detect(&self.chat(encoder, &Conversation::default())?)?;
        Ok(self.markers.get_or_init(|| found).clone())
    }

    /// What the template reads of messages: some small renderings, the first time.
    pub fn reads(&self, encoder: &dyn Encoder) -> &TemplateReads {
        let render = |sample: &Conversation| self.chat(encoder, sample).ok()?.text(Call::whole(sample)).ok();
        self.reads.get_or_init(|| TemplateReads::measure(&render))
    }

    /// The special tokens of the tokenizer, as they are looked for in the texts of messages.
    pub fn controls(&self, tokenizer: &Tokenizer) -> &ControlTokens {
        self.controls.get_or_init(|| ControlTokens::of(tokenizer))
    }

    /// The text of a strategy's labels, and where its turns lie: the text that was encoded, else what the ids spell.
    pub fn text_of_labels(
        &self,
        encoder: &dyn Encoder,
        conversation: &Conversation,
        masked: &Masked,
    ) -> (String, PromptLayout) {
        match &masked.source {
            Some(source) => {
                let layout = of_template(self.chat(encoder, conversation).ok(), conversation, source);
                (source.text.clone(), layout)
            }
            None => {
                let text = encoder.decode(&masked.input_ids).unwrap_or_default();
                let layout = by_content(conversation, &text);
                (text, layout)
            }
        }
    }

    /// LLaMA-Factory's own template that writes turns as the chat template does.
    ///
    /// # Errors
    /// Where none does, or there is no chat template to go by.
    fn slots(&self, encoder: &dyn Encoder) -> Result<SlotTemplate, MaskError> {
        if let Some(found) = self.slots.get() {
            return Ok(*found);
        }
        let chat = self.chat(encoder, &Conversation::default()).map_err(|_| {
            let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
            MaskError::Unfit(format!(
                "LLaMA-Factory has templates of its own: name one with --strategy-option template=NAME ({})",
                names.join(", ")
            ))
        })?;
        let found = slot_template(&chat)?;
        Ok(*self.slots.get_or_init(|| found))
    }

    /// True unless a generation prompt or an open last message was asked for.
    pub fn renders_plainly(&self) -> bool {
        !self.rendering.add_generation_prompt && self.rendering.continue_final_message.field().is_none()
    }

    /// Labels of a conversation whose first `prompt` messages are the prompt; variables are put in before
    /// ([`Self::with_kwargs`]).
    ///
    /// # Errors
    /// What the trainer's code raises, or why it drops the sample.
    pub fn label(
        &self,
        encoder: &dyn Encoder,
        sample: &Conversation,
        prompt: usize,
    ) -> Result<Masked, MaskError> {
        self.label_as(self.strategy, &self.settings, encoder, sample, prompt)
    }

    /// The same by another strategy or with other settings than the method's own.
    ///
    /// # Errors
    /// As [`Self::label`].
    pub fn label_as(
        &self,
        strategy: Strategy,
        settings: &StrategySettings,
        encoder: &dyn Encoder,
        sample: &Conversation,
        prompt: usize,
    ) -> Result<Masked, MaskError> {
        self.label_through(&|| self.templates.for_sample(sample), strategy, settings, encoder, sample, prompt)
    }

    /// The same by another template than the method's own, that of another release for one.
    ///
    /// # Errors
    /// As [`Self::label`].
    pub fn label_by(
        &self,
        template: &ChatTemplate,
        settings: &StrategySettings,
        encoder: &dyn Encoder,
        sample: &Conversation,
    ) -> Result<Masked, MaskError> {
        self.label_through(&|| Ok(template), self.strategy, settings, encoder, sample, 0)
    }

    fn label_through<'a>(
        &'a self,
        template: &dyn Fn() -> Result<&'a ChatTemplate, MaskError>,
        strategy: Strategy,
        settings: &StrategySettings,
        encoder: &'a dyn Encoder,
        sample: &Conversation,
        prompt: usize,
    ) -> Result<Masked, MaskError> {
        let given = StrategyInput {
            encoder,
            chat: &|| Ok(Chat { template: template()?, encoder, special_tokens: &self.special_tokens }),
            input_ids: &|| {
                let rendered = self.rendered_by(template()?, sample)?;
                let encoded = encoder.encode(&rendered.text, false)?;
                Ok(EncodedText::new(rendered, encoded))
            },
            markers: &|| self.markers(encoder),
            slots: &|| self.slots(encoder),
            settings,
            special_tokens: &self.special_tokens,
        };
        run(strategy, &given, sample, prompt)
    }

    /// Labels of a row of a data set by a trainer's own data path; template variables that were asked for go with it.
    ///
    /// # Errors
    /// As [`Self::label`].
    pub(super) fn label_row(
        &self,
        trainer: Trainer,
        encoder: &dyn Encoder,
        mut row: Map<String, Value>,
    ) -> Result<Masked, MaskError> {
        if !self.rendering.kwargs.is_empty() {
            let kwargs = row.entry("chat_template_kwargs").or_insert_with(|| Value::Object(Map::new()));
            kwargs
                .as_object_mut()
                .into_iter()
                .for_each(|kwargs| kwargs.extend(self.rendering.kwargs.clone()));
        }
        let tools = row.get("tools").and_then(Value::as_array).cloned();
        let nothing = Conversation { tools, ..Conversation::default() };
        let given = StrategyInput {
            encoder,
            chat: &|| self.chat(encoder, &nothing),
            input_ids: &|| Err(MaskError::Unfit("a row of a data set has no text of its own".into())),
            markers: &|| self.markers(encoder),
            slots: &|| self.slots(encoder),
            settings: &self.settings,
            special_tokens: &self.special_tokens,
        };
        trainer_path::label(trainer, &given, &row)
    }

    /// Labels by a strategy that searches in ids, for a text that no template made.
    ///
    /// # Errors
    /// As [`Self::label`].
    pub fn label_text(&self, encoder: &dyn Encoder, text: &str) -> Result<Masked, MaskError> {
        let nothing = Conversation::default();
        let given = StrategyInput {
            encoder,
            chat: &|| self.chat(encoder, &nothing),
            input_ids: &|| {
                let rendered = Rendered { text: text.to_string(), ..Rendered::default() };
                Ok(EncodedText::new(rendered, encoder.encode(text, false)?))
            },
            markers: &|| self.markers(encoder),
            slots: &|| self.slots(encoder),
            settings: &self.settings,
            special_tokens: &self.special_tokens,
        };
        run(self.strategy, &given, &nothing, 0)
    }
}

fn run(
    strategy: Strategy,
    given: &StrategyInput,
    sample: &Conversation,
    prompt: usize,
) -> Result<Masked, MaskError> {
    let mut masked = strategy.label(given, sample, prompt)?;
    if strategy.trainer().is_some() {
        // The trainer has its own way to cut, and its row may be more than one sequence.
        return Ok(masked);
    }
    truncate(&mut masked, given.settings.max_length);
    Ok(masked)
}

/// The trainers' own cut at the end, for strategies that have none in between.
fn truncate(masked: &mut Masked, max_length: Option<usize>) {
    let Some(max_length) = max_length.filter(|max| *max < masked.input_ids.len()) else { return };
    let lost = masked.input_ids.len() - max_length;
    masked.input_ids.truncate(max_length);
    masked.labels.truncate(max_length);
    masked.note(max_length..max_length, format!("{lost} tokens beyond max_length {max_length} are cut off"));
}

/// `tokenizer.special_tokens_map`: the roles that are set.
pub fn special_tokens_map(tokenizer: &Tokenizer) -> Map<String, Value> {
    let set = |role: &Role| {
        let token = tokenizer.special.get(*role)?;
        Some((role.attribute().to_string(), Value::from(token.content.clone())))
    };
    Role::ALL.iter().filter_map(set).collect()
}
