//! verl 0.9.1 `MultiTurnSFTDataset` (`utils/dataset/multiturn_sft_dataset.py`, `utils/tokenizer/chat_template.py`).
//!
//! Every message is rendered by itself; the system prompt that the template puts before a lone message is cut off by
//! its length, and so is the generation prompt of an answer. The pieces, put together, are what is trained on, even
//! where they are not what the template makes of the whole conversation (a check compares them).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::resources::RenderCall;
use super::{PreparedRow, Resources, RowPreparer, TrainingSequence, arrow};
use crate::masks::{MaskError, role};
use crate::tokenizer::TokenId;

/// Fields of the data configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerlOptions {
    pub pad_mode: PadMode,
    pub max_length: usize,
    pub truncation: VerlTruncation,
    pub ignore_input_ids_mismatch: bool,
    pub messages_key: String,
    pub tools_key: String,
    pub enable_thinking_key: String,
    pub enable_thinking_default: Option<bool>,
    pub apply_chat_template_kwargs: Map<String, Value>,
}

impl Default for VerlOptions {
    fn default() -> Self {
        Self {
            pad_mode: PadMode::Right,
            max_length: 1024,
            truncation: VerlTruncation::Error,
            ignore_input_ids_mismatch: false,
            messages_key: "messages".into(),
            tools_key: "tools".into(),
            enable_thinking_key: "enable_thinking".into(),
            enable_thinking_default: None,
            apply_chat_template_kwargs: Map::new(),
        }
    }
}

/// `pad_mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    #[default]
    Right,
    NoPadding,
}

/// `truncation`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerlTruncation {
    #[default]
    Error,
    Left,
    Right,
}

/// The data set after its constructor.
#[derive(Debug)]
pub struct MultiTurnDataset<'a> {
    resources: Resources<'a>,
    options: VerlOptions,
    /// What the template puts before a lone user message.
    pub system_prompt: Vec<TokenId>,
    pub generation_prompt: Vec<TokenId>,
}

impl<'a> MultiTurnDataset<'a> {
    /// Measures the system prompt and the generation prompt with empty user messages.
    ///
    /// # Errors
    /// What the template raises on two user messages in a row.
    pub fn new(resources: Resources<'a>, options: VerlOptions) -> Result<Self, MaskError> {
        let user = json!({"role": "user", "content": ""});
        let users = [user.clone(), user];
        let call = |messages| RenderCall {
            messages,
            kwargs: Some(&options.apply_chat_template_kwargs),
            ..RenderCall::default()
        };
        let one = users.get(..1).unwrap_or_default();
        let mut system_prompt = resources.render_ids(&call(one))?;
        let len = system_prompt.len();
        let second = resources.render_ids(&call(&users))?.len() as i64 - len as i64;
        // Python's `ids[:-second]`.
        let keep = if second > 0 { len.saturating_sub(second as usize) } else { (-second) as usize };
        system_prompt.truncate(keep);
        let with_prompt = RenderCall { add_generation_prompt: true, ..call(one) };
        let generation_prompt = resources.render_ids(&with_prompt)?.into_iter().skip(len).collect();
        Ok(Self { resources, options, system_prompt, generation_prompt })
    }

    /// `apply_chat_template` of one message; where the template refuses it alone, behind an empty user message whose ids
    /// are cut off again.
    fn lone_message(
        &self,
        message: &Value,
        tools: Option<&[Value]>,
        kwargs: &Map<String, Value>,
    ) -> Result<Vec<TokenId>, MaskError> {
        let call = |messages| RenderCall { messages, tools, kwargs: Some(kwargs), ..RenderCall::default() };
        if let Ok(ids) = self.resources.render_ids(&call(std::slice::from_ref(message))) {
            return Ok(ids);
        }
        let user = json!({"role": "user", "content": [{"type": "text", "text": ""}]});
        let prefix = self.resources.render_ids(&call(std::slice::from_ref(&user)))?;
        let ids = self.resources.render_ids(&call(&[user.clone(), message.clone()]))?;
        Ok(ids.into_iter().skip(prefix.len()).collect())
    }

    fn concatenate(
        &self,
        messages: &[Value],
        tools: Option<&[Value]>,
        kwargs: &Map<String, Value>,
    ) -> Result<TrainingSequence, MaskError> {
        let mut sequence = TrainingSequence::default();
        for (index, message) in messages.iter().enumerate() {
            let mut ids = self.lone_message(message, tools.filter(|_| index == 0), kwargs)?;
            if index != 0 && role(message) != "system" {
                ids.drain(..self.system_prompt.len().min(ids.len()));
            }
            let header = match role(message) {
                "assistant" => self.generation_prompt.len().min(ids.len()),
                _ => ids.len(),
            };
            let answer = ids.split_off(header);
            sequence.push(ids, false);
            sequence.push(answer, true);
        }
        Ok(sequence)
    }

    /// Pads or cuts to `max_length`.
    fn fit(&self, sequence: &mut TrainingSequence) -> Result<(), MaskError> {
        let (len, max) = (sequence.input_ids.len(), self.options.max_length);
        let padded = self.options.pad_mode == PadMode::Right;
        if len > max && self.options.truncation == VerlTruncation::Error {
            let message = format!("sequence_length={len} is larger than self.max_length={max}");
            return Err(MaskError::python("ValueError", message));
        }
        if len > max && padded && self.options.truncation == VerlTruncation::Left {
            sequence.position_ids = Some((0..len).collect());
            sequence.cut(len - max..len);
        } else {
            sequence.cut(0..max);
        }
        sequence.padded_to = Some(if padded { max } else { sequence.input_ids.len() });
        Ok(())
    }
}

impl RowPreparer for MultiTurnDataset<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let options = &self.options;
        // The data set is read from Parquet.
        let column = |key: &str| row.get(key).map(arrow::round_trip).unwrap_or_default();
        let (messages, tools) = (column(&options.messages_key), column(&options.tools_key));
        let messages = messages.as_array().map(Vec::as_slice).unwrap_or_default();
        if tools.is_string() {
            return Err(MaskError::python("ValueError", TOOLS_ARE_TEXT));
        }
        let tools = tools.as_array().map(Vec::as_slice);
        let thinking = match row.get(&options.enable_thinking_key) {
            Some(flag) => flag.as_bool(),
            None => options.enable_thinking_default,
        };
        let mut kwargs = options.apply_chat_template_kwargs.clone();
        kwargs.extend(thinking.map(|flag| ("enable_thinking".to_string(), Value::Bool(flag))));
        let mut sequence = self.concatenate(messages, tools, &kwargs)?;
        let whole = RenderCall { messages, tools, kwargs: Some(&kwargs), ..RenderCall::default() };
        let mut notes = Vec::new();
        if self.resources.render_ids(&whole)? != sequence.input_ids {
            if !options.ignore_input_ids_mismatch {
                return Err(MaskError::python("AssertionError", MISMATCH));
            }
            notes.push(
                "the messages rendered one by one are not what the template makes of the conversation; verl trains on \
                 the former"
                    .to_string(),
            );
        }
        self.fit(&mut sequence)?;
        Ok(PreparedRow { notes, ..PreparedRow::one(sequence) })
    }
}

/// transformers' words for tools that are no list; verl hands a JSON text on as it is.
const TOOLS_ARE_TEXT: &str = "Tools should either be a JSON schema, or a callable function with type hints and a \
    docstring suitable for auto-conversion to a schema.";

/// verl's own words.
const MISMATCH: &str = "MultiTurnSFTDataset apply_chat_template to each turn separately and concat `input_ids` as a whole \
    sequence, which may not equal to apply_chat_template to whole messages at once.\nFor example, Qwen Thinking series \
    models add <think></think> tags to last turn, please check your tokenizer chat template settings.\nSet \
    `ignore_input_ids_mismatch=True` to ignore input_ids mismatch and use the concatenated input_ids as the final \
    input_ids. ";
