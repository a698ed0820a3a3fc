//! OpenRLHF 0.11.2: `SFTDataset` (`datasets/sft_dataset.py`) and `RewardDataset` for DPO (`datasets/reward_dataset.py`).
//!
//! Prompt and answer are cut apart in the rendered text by the length of the rendered prompt, in characters, and lengths in
//! tokens are taken for positions; nothing checks either. Every text ends in eos: where it does not yet, a space and
//! eos are added, and the last id is overwritten with eos. Tools never reach the template.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::columns::{concatenated, texts};
use super::resources::RenderCall;
use super::{AnswerSide, PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::{MaskError, role};
use crate::tokenizer::TokenId;

/// Arguments of `train_sft`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SftOptions {
    pub input_key: String,
    pub output_key: Option<String>,
    pub input_template: Option<String>,
    pub apply_chat_template: bool,
    pub multiturn: bool,
    pub pretrain_mode: bool,
    pub max_length: usize,
}

impl Default for SftOptions {
    fn default() -> Self {
        Self {
            input_key: "input".into(),
            output_key: None,
            input_template: None,
            apply_chat_template: false,
            multiturn: false,
            pretrain_mode: false,
            max_length: 2048,
        }
    }
}

/// Arguments of `train_dpo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DpoOptions {
    pub prompt_key: Option<String>,
    pub chosen_key: String,
    pub rejected_key: String,
    pub input_template: Option<String>,
    pub apply_chat_template: bool,
    pub max_length: usize,
}

impl Default for DpoOptions {
    fn default() -> Self {
        Self {
            prompt_key: None,
            chosen_key: "chosen".into(),
            rejected_key: "rejected".into(),
            input_template: None,
            apply_chat_template: false,
            max_length: 512,
        }
    }
}

/// Rendering and tokenising as both data sets do it.
#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    resources: Resources<'a>,
    max_length: usize,
}

impl Texts<'_> {
    fn render(&self, messages: &[Value], add_generation_prompt: bool) -> Result<String, MaskError> {
        self.resources.render(&RenderCall { messages, add_generation_prompt, ..RenderCall::default() })
    }

    /// What a rendering adds behind as many characters as the prompt has.
    fn after(&self, messages: &[Value], prompt: &str) -> Result<String, MaskError> {
        Ok(self.render(messages, false)?.chars().skip(prompt.chars().count()).collect())
    }

    /// ids without special tokens, truncated.
    fn ids(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        let mut ids = self.resources.ids(text)?;
        ids.truncate(self.max_length);
        Ok(ids)
    }

    /// The text with its end made sure of, tokenised; the last id becomes eos.
    fn closed_ids(&self, text: &str) -> Result<Vec<TokenId>, MaskError> {
        let eos = self.resources.eos_text()?;
        let mut text = text.trim_end_matches('\n').to_string();
        if !text.ends_with(eos) {
            text.push(' ');
            text.push_str(eos);
        }
        let mut ids = self.ids(&text)?;
        if let (Some(last), Some(eos)) = (ids.last_mut(), self.resources.encoder.eos_id()) {
            *last = eos;
        }
        Ok(ids)
    }
}

/// `SFTDataset`.
#[derive(Debug)]
pub struct SftDataset<'a> {
    texts: Texts<'a>,
    options: SftOptions,
}

impl<'a> SftDataset<'a> {
    /// The data set.
    pub fn new(resources: Resources<'a>, options: SftOptions) -> Self {
        Self { texts: Texts { resources, max_length: options.max_length }, options }
    }

    /// Prompt and answer as texts.
    fn prompt_and_response(&self, row: &Map<String, Value>) -> Result<(String, String), MaskError> {
        let options = &self.options;
        let input = column(row, &options.input_key)?;
        if options.pretrain_mode || !options.apply_chat_template {
            let template = options.input_template.as_ref().filter(|_| !options.pretrain_mode);
            let prompt = match template {
                // The command line takes a template without a place for no template.
                Some(template) if template.contains("{}") => template.replacen("{}", text(input)?, 1),
                _ => text(input)?.to_string(),
            };
            let response = match &options.output_key {
                Some(key) => text(column(row, key)?)?.to_string(),
                None => String::new(),
            };
            return Ok((prompt, response));
        }
        let (before, whole) = match &options.output_key {
            Some(key) => {
                let output = column(row, key)?;
                let (input, output) = match (input, output) {
                    (Value::String(prompt), Value::String(response)) => (
                        json!([{"role": "user", "content": prompt}]),
                        json!([{"role": "assistant", "content": response}]),
                    ),
                    (input, output) => (input.clone(), output.clone()),
                };
                (messages(&input).to_vec(), concatenated(&input, &output)?)
            }
            None => {
                let all = messages(input);
                (all.get(..all.len().saturating_sub(1)).unwrap_or_default().to_vec(), all.to_vec())
            }
        };
        let prompt = self.texts.render(&before, true)?;
        let response = self.texts.after(&whole, &prompt)?;
        Ok((prompt, response))
    }

    /// For each answer the range of its tokens, first and last, by token counts of prefixes.
    fn response_ranges(&self, row: &Map<String, Value>) -> Result<Vec<(usize, i64)>, MaskError> {
        let all = messages(column(row, &self.options.input_key)?);
        if all.iter().any(Value::is_array) {
            let message = "list indices must be integers or slices, not str";
            return Err(MaskError::python("TypeError", message));
        }
        let mut ranges = Vec::new();
        for index in (0..all.len()).filter(|index| all.get(*index).is_some_and(|m| role(m) == "assistant")) {
            if !self.options.apply_chat_template {
                return Err(MaskError::python("TypeError", "'bool' object is not callable"));
            }
            let prompt = self.texts.render(all.get(..index).unwrap_or_default(), true)?;
            let response = self.texts.after(all.get(..=index).unwrap_or_default(), &prompt)?;
            let start = self.texts.ids(&prompt)?.len();
            let end = (start + self.texts.ids(&response)?.len()) as i64 - 1;
            ranges.push((start, end));
        }
        Ok(ranges)
    }
}

impl RowPreparer for SftDataset<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let options = &self.options;
        let joined;
        let mut row = row;
        if options.multiturn
            && let Some(key) = &options.output_key
        {
            let mut moved = row.clone();
            // The emptied column is read again below, where Python fails on it.
            let output = moved.insert(key.clone(), Value::Null).unwrap_or_default();
            if let Some(Value::Array(input)) = moved.get_mut(&options.input_key) {
                input.push(output);
            }
            joined = moved;
            row = &joined;
        }
        let ranges = match options.multiturn {
            true => self.response_ranges(row)?,
            false => Vec::new(),
        };
        let (prompt, response) = self.prompt_and_response(row)?;
        if options.pretrain_mode {
            let ids = self.texts.ids(&prompt)?;
            let mut raw = vec![true; ids.len()];
            raw.last_mut().into_iter().for_each(|last| *last = false);
            return Ok(PreparedRow::one(shifted(ids, &raw)));
        }
        let prompt_len = self.texts.ids(&prompt)?.len();
        if prompt.is_empty() || response.is_empty() || prompt_len + 2 >= options.max_length {
            let reason = match (prompt.is_empty(), response.is_empty()) {
                (true, _) => "the prompt is empty".to_string(),
                (_, true) => "the answer is empty".to_string(),
                _ => format!(
                    "the prompt's {prompt_len} tokens leave no room in max_length {}",
                    options.max_length
                ),
            };
            return Ok(PreparedRow::dropped(reason));
        }
        let ids = self.texts.closed_ids(&format!("{prompt}{response}"))?;
        let len = ids.len() as i64;
        let mut raw = vec![false; ids.len()];
        match options.multiturn {
            true => ranges.iter().for_each(|(start, end)| set(&mut raw, *start as i64 - 1, *end)),
            false => set(&mut raw, prompt_len as i64 - 1, len - 1),
        }
        Ok(PreparedRow::one(shifted(ids, &raw)))
    }
}

/// `mask[start:end] = 1` with Python's meaning of negative bounds.
fn set(mask: &mut [bool], start: i64, end: i64) {
    let len = mask.len() as i64;
    let bound = |at: i64| (if at < 0 { (at + len).max(0) } else { at.min(len) }) as usize;
    if let Some(range) = mask.get_mut(bound(start)..bound(end).max(bound(start))) {
        range.fill(true);
    }
}

/// The trainer's mask marks the position that predicts; a target is the token behind it.
fn shifted(ids: Vec<TokenId>, raw: &[bool]) -> TrainingSequence {
    let targets = (0..ids.len()).map(|at| at > 0 && raw.get(at - 1) == Some(&true)).collect();
    TrainingSequence { predicting: Some(raw.to_vec()), ..TrainingSequence::new(ids, targets) }
}

/// `RewardDataset` with `is_dpo`, and the mask of `DPOTrainer`.
#[derive(Debug)]
pub struct DpoDataset<'a> {
    texts: Texts<'a>,
    options: DpoOptions,
}

impl<'a> DpoDataset<'a> {
    /// The data set.
    pub fn new(resources: Resources<'a>, options: DpoOptions) -> Self {
        Self { texts: Texts { resources, max_length: options.max_length }, options }
    }

    /// Prompt, chosen and rejected as texts.
    fn sides(&self, row: &Map<String, Value>) -> Result<[String; 3], MaskError> {
        let options = &self.options;
        let (chosen, rejected) = (column(row, &options.chosen_key)?, column(row, &options.rejected_key)?);
        let prompt = options.prompt_key.as_ref().map(|key| column(row, key)).transpose()?;
        if !options.apply_chat_template {
            let prompt = match (prompt, &options.input_template) {
                (None, _) => String::new(),
                (Some(prompt), Some(template)) if template.contains("{}") => {
                    template.replacen("{}", text(prompt)?, 1)
                }
                (Some(prompt), _) => text(prompt)?.to_string(),
            };
            let (chosen, rejected) = texts(chosen, rejected)?;
            return Ok([prompt, chosen.to_string(), rejected.to_string()]);
        }
        match prompt {
            Some(prompt) => {
                let text = self.texts.render(messages(prompt), true)?;
                let side = |side: &Value| self.texts.after(&concatenated(prompt, side)?, &text);
                Ok([text.clone(), side(chosen)?, side(rejected)?])
            }
            None => {
                let (chosen, rejected) = (messages(chosen), messages(rejected));
                // Both sides are rendered before the prompt is.
                self.texts.render(chosen, false)?;
                self.texts.render(rejected, false)?;
                let before = chosen.get(..chosen.len().saturating_sub(1)).unwrap_or_default();
                let text = self.texts.render(before, true)?;
                let side = |side: &[Value]| self.texts.after(side, &text);
                Ok([text.clone(), side(chosen)?, side(rejected)?])
            }
        }
    }
}

impl RowPreparer for DpoDataset<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let [prompt, chosen, rejected] = self.sides(row)?;
        let prompt_len = self.texts.ids(&prompt)?.len();
        if prompt_len + 2 >= self.options.max_length {
            let max = self.options.max_length;
            let reason = format!("the prompt's {prompt_len} tokens leave no room in max_length {max}");
            return Ok(PreparedRow::dropped(reason));
        }
        let sequence = |side: AnswerSide, answer: &str| -> Result<TrainingSequence, MaskError> {
            let ids = self.texts.closed_ids(&format!("{prompt}{answer}"))?;
            let targets = (0..ids.len()).map(|at| at >= prompt_len.max(1)).collect();
            let sequence = TrainingSequence::new(ids, targets);
            Ok(TrainingSequence { side: Some(side), prompt_len: Some(prompt_len), ..sequence })
        };
        let sequences =
            vec![sequence(AnswerSide::Chosen, &chosen)?, sequence(AnswerSide::Rejected, &rejected)?];
        Ok(PreparedRow { sequences, ..PreparedRow::default() })
    }
}

fn column<'r>(row: &'r Map<String, Value>, key: &str) -> Result<&'r Value, MaskError> {
    row.get(key).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")))
}

fn messages(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Result<&str, MaskError> {
    value.as_str().ok_or_else(|| {
        let kind = super::python_json::type_name(value);
        MaskError::python("TypeError", format!("can only concatenate str (not \"{kind}\") to str"))
    })
}
