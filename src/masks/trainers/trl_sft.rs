//! TRL 1.16 `SFTTrainer`: `_prepare_dataset` of `trainer/sft_trainer.py` on one row.
//!
//! `max_length` cuts after the labels are made; a row that has no label left is dropped. Packing is in
//! [`super::trl_packing`].

use serde::Deserialize;
use serde_json::{Map, Value};

use super::columns::{concatenated, list, texts};
use super::resources::RenderCall;
use super::trl_templates::training_template;
use super::{PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::chat::jinja::ChatTemplate;
use crate::masks::MaskError;
use crate::tokenizer::TokenId;

/// Fields of `SFTConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrlSftOptions {
    pub assistant_only_loss: bool,
    /// `None`: true for prompt-completion rows.
    pub completion_only_loss: Option<bool>,
    pub max_length: Option<usize>,
    pub truncation_mode: TruncationMode,
    pub dataset_text_field: String,
    pub packing: bool,
    pub packing_strategy: super::trl_packing::PackingStrategy,
}

impl Default for TrlSftOptions {
    fn default() -> Self {
        Self {
            assistant_only_loss: false,
            completion_only_loss: None,
            max_length: Some(1024),
            truncation_mode: TruncationMode::KeepStart,
            dataset_text_field: "text".into(),
            packing: false,
            packing_strategy: super::trl_packing::PackingStrategy::Bfd,
        }
    }
}

/// Which end of a long sequence is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruncationMode {
    #[default]
    KeepStart,
    KeepEnd,
}

impl TruncationMode {
    /// Cuts a sequence to `max_length` tokens.
    pub fn cut(self, sequence: &mut TrainingSequence, max_length: usize) {
        let len = sequence.input_ids.len();
        match self {
            Self::KeepStart => sequence.cut(0..max_length),
            // Python's `[-0:]` is everything.
            Self::KeepEnd if max_length == 0 => {}
            Self::KeepEnd => sequence.cut(len.saturating_sub(max_length)..len),
        }
    }
}

/// The columns that tokenising gives a row.
#[derive(Debug, Default)]
struct Columns {
    ids: Vec<TokenId>,
    /// Where the completion begins, for rows that have one.
    prompt_len: Option<usize>,
    assistant: Option<Vec<bool>>,
}

/// The trainer after its constructor.
#[derive(Debug)]
pub struct SftTrainer<'a> {
    resources: Resources<'a>,
    options: TrlSftOptions,
    /// TRL's own variant of the tokenizer's template, with `{% generation %}` tags.
    training_template: Option<ChatTemplate>,
}

impl<'a> SftTrainer<'a> {
    /// The constructor, for rows like `first`.
    ///
    /// # Errors
    /// `assistant_only_loss` on plain text, or with a template that has no generation tags and that TRL does not know.
    pub fn new(
        resources: Resources<'a>,
        options: TrlSftOptions,
        first: &Map<String, Value>,
    ) -> Result<Self, MaskError> {
        let mut training = None;
        if options.assistant_only_loss {
            if !(is_conversational(first) || is_conversational_from_value(first)) {
                return Err(MaskError::python(
                    "ValueError",
                    "You set `assistant_only_loss=True`, but the dataset is not conversational. This option is only \
                     supported for conversational datasets.",
                ));
            }
            if let Some(template) = resources.template.filter(|template| !template.has_generation_tags()) {
                training = Some(swapped(template, resources)?);
            }
        }
        Ok(Self { resources, options, training_template: training })
    }

    /// True where TRL replaced the tokenizer's template by one of its own.
    #[cfg(feature = "internals")]
    pub fn template_is_swapped(&self) -> bool {
        self.training_template.is_some()
    }

    /// The labels of a row before truncation and packing.
    ///
    /// # Errors
    /// What the template raises; `RuntimeError` where no assistant token is marked.
    pub fn tokenize(&self, row: &Map<String, Value>) -> Result<TrainingSequence, MaskError> {
        let row = &self.normalised(row)?;
        let call = RowCall::new(&self.resources, self.training_template.as_ref(), row)?;
        let columns = match row.get("prompt") {
            Some(prompt) => {
                let completion = row.get("completion").unwrap_or(&Value::Null);
                self.prompt_completion(&call, prompt, completion, is_conversational(row))?
            }
            None if is_conversational(row) => self.render(&call, list(row.get("messages")))?,
            None => {
                let text = row.get(&self.options.dataset_text_field).and_then(Value::as_str);
                let text = text.ok_or_else(|| {
                    MaskError::python("KeyError", format!("'{}'", self.options.dataset_text_field))
                })?;
                Columns { ids: self.resources.ids_with_special_tokens(text)?, ..Columns::default() }
            }
        };
        let Columns { ids, prompt_len, assistant } = columns;
        if assistant.as_ref().is_some_and(|mask| !mask.contains(&true)) {
            return Err(MaskError::python(
                "RuntimeError",
                "You're using `assistant_only_loss=True`, but at least one example has no assistant tokens. This usually \
                 means the tokenizer's chat template doesn't generate assistant masks — it may be missing the \
                 `{% generation %}` keyword. Please check the template and ensure it's correctly configured to support \
                 assistant masking.",
            ));
        }
        let by_completion = self
            .options
            .completion_only_loss
            .unwrap_or(row.contains_key("prompt") && row.contains_key("completion"));
        let masked = prompt_len.filter(|_| by_completion).unwrap_or(0);
        let target = |index: usize| {
            index >= masked && assistant.as_ref().is_none_or(|mask| mask.get(index) == Some(&true))
        };
        let targets = (0..ids.len()).map(target).collect();
        Ok(TrainingSequence { prompt_len, ..TrainingSequence::new(ids, targets) })
    }

    fn prompt_completion(
        &self,
        call: &RowCall,
        prompt: &Value,
        completion: &Value,
        conversational: bool,
    ) -> Result<Columns, MaskError> {
        let (prompt_ids, columns) = if conversational {
            let prompt_ids = self.resources.render_ids(&call.prompt(list(Some(prompt))))?;
            (prompt_ids, self.render(call, &concatenated(prompt, completion)?)?)
        } else {
            let (prompt, completion) = texts(prompt, completion)?;
            let ids = self.resources.ids_with_special_tokens(&format!("{prompt}{completion}"))?;
            (self.resources.ids_with_special_tokens(prompt)?, Columns { ids, ..Columns::default() })
        };
        Ok(Columns { prompt_len: Some(common_prefix(&prompt_ids, &columns.ids)), ..columns })
    }

    fn render(&self, call: &RowCall, messages: &[Value]) -> Result<Columns, MaskError> {
        let call = call.whole(messages);
        if self.options.assistant_only_loss {
            let (ids, mask) = self.resources.render_assistant_mask(&call)?;
            return Ok(Columns { ids, assistant: Some(mask), prompt_len: None });
        }
        Ok(Columns { ids: self.resources.render_ids(&call)?, ..Columns::default() })
    }

    /// The row after the conversion of ShareGPT keys and the eos of plain text.
    fn normalised(&self, row: &Map<String, Value>) -> Result<Map<String, Value>, MaskError> {
        let mut row = row.clone();
        if is_conversational_from_value(&row) {
            let turns = row.remove("conversations").unwrap_or_default();
            row.insert("messages".into(), Value::Array(list(Some(&turns)).iter().map(to_role).collect()));
        }
        if !is_conversational(&row) {
            let eos = self.resources.eos_text()?;
            let open = |text: Option<&Value>| {
                text.and_then(Value::as_str).filter(|text| !text.ends_with(eos)).map(ToString::to_string)
            };
            if let Some(text) = open(row.get(&self.options.dataset_text_field)) {
                row.insert(self.options.dataset_text_field.clone(), Value::from(text + eos));
            } else if let Some(text) = open(row.get("completion")) {
                row.insert("completion".into(), Value::from(text + eos));
            }
        }
        Ok(row)
    }
}

impl RowPreparer for SftTrainer<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let mut sequence = self.tokenize(row)?;
        let Some(max_length) = self.options.max_length.filter(|_| !self.options.packing) else {
            return Ok(PreparedRow::one(sequence));
        };
        let before = sequence.input_ids.len();
        self.options.truncation_mode.cut(&mut sequence, max_length);
        if !sequence.targets.contains(&true) {
            let reason =
                format!("no label is left within max_length {max_length} (the row has {before} tokens)");
            return Ok(PreparedRow::dropped(reason));
        }
        Ok(PreparedRow::one(sequence))
    }
}

/// TRL's training variant of a template, compiled.
fn swapped(template: &ChatTemplate, resources: Resources) -> Result<ChatTemplate, MaskError> {
    let Some(source) = training_template(template.source()) else {
        return Err(MaskError::python(
            "ValueError",
            "The chat template is not training-compatible (missing prefix-preservation or `{% generation %}` markers) and \
             patching is not supported for this template. Please manually modify the chat template for training.",
        ));
    };
    Ok(ChatTemplate::new(&format!("{}, as TRL trains it", template.name()), &source, resources.clock)?)
}

/// What `apply_chat_template` gets from a row beside its messages.
pub(super) struct RowCall<'r> {
    tools: Option<Vec<Value>>,
    kwargs: Map<String, Value>,
    template: Option<&'r ChatTemplate>,
    own_template: Option<ChatTemplate>,
}

impl<'r> RowCall<'r> {
    /// Reads `tools` and `chat_template_kwargs`; the latter win, over `tools` and `chat_template` too.
    pub(super) fn new(
        resources: &Resources,
        template: Option<&'r ChatTemplate>,
        row: &Map<String, Value>,
    ) -> Result<Self, MaskError> {
        let mut tools = match row.get("tools") {
            Some(Value::String(text)) => serde_json::from_str(text)
                .map_err(|error| MaskError::python("JSONDecodeError", format!("tools: {error}")))?,
            Some(tools) => tools.clone(),
            None => Value::Null,
        };
        let mut kwargs =
            row.get("chat_template_kwargs").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(given) = kwargs.shift_remove("tools") {
            tools = given;
        }
        let own_template = match kwargs.shift_remove("chat_template") {
            Some(Value::String(source)) => {
                Some(ChatTemplate::new("chat_template of the row", &source, resources.clock)?)
            }
            _ => None,
        };
        let tools = match tools {
            Value::Array(tools) => Some(tools),
            _ => None,
        };
        Ok(Self { tools, kwargs, template, own_template })
    }

    pub(super) fn whole<'c>(&'c self, messages: &'c [Value]) -> RenderCall<'c> {
        RenderCall {
            messages,
            tools: self.tools.as_deref(),
            kwargs: Some(&self.kwargs),
            add_generation_prompt: false,
            template: self.own_template.as_ref().or(self.template),
        }
    }

    pub(super) fn prompt<'c>(&'c self, messages: &'c [Value]) -> RenderCall<'c> {
        RenderCall { add_generation_prompt: true, ..self.whole(messages) }
    }
}

/// Number of leading tokens that two sequences share.
pub(super) fn common_prefix(one: &[TokenId], other: &[TokenId]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// TRL's `is_conversational`.
pub fn is_conversational(row: &Map<String, Value>) -> bool {
    let keys = ["prompt", "chosen", "rejected", "completion", "messages"];
    let Some(Value::Array(messages)) = keys.iter().find_map(|key| row.get(*key)) else { return false };
    messages.first().is_some_and(|message| message.get("role").is_some())
}

/// TRL's `is_conversational_from_value`.
fn is_conversational_from_value(row: &Map<String, Value>) -> bool {
    let first = list(row.get("conversations")).first();
    first.is_some_and(|turn| turn.get("from").is_some() && turn.get("value").is_some())
}

/// A turn's keys renamed; the names of its roles stay.
fn to_role(turn: &Value) -> Value {
    let mut turn = turn.clone();
    if let Some(fields) = turn.as_object_mut() {
        for (old, new) in [("from", "role"), ("value", "content")] {
            if let Some(value) = fields.shift_remove(old) {
                fields.insert(new.into(), value);
            }
        }
    }
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_or_the_start() {
        let sequence = || TrainingSequence::new(vec![1, 2, 3], vec![false, true, true]);
        let mut start = sequence();
        TruncationMode::KeepStart.cut(&mut start, 2);
        assert_eq!((start.input_ids, start.targets), (vec![1, 2], vec![false, true]));
        let mut end = sequence();
        TruncationMode::KeepEnd.cut(&mut end, 2);
        assert_eq!(end.input_ids, [2, 3]);
    }
}
