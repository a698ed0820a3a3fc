//! TRL 1.16 `DPOTrainer`: `_prepare_dataset` of `trainer/dpo_trainer.py` and its collator, on one preference row.
//!
//! Both sides share one prompt: what the rendered prompt has in common with both of them. A row without a `prompt`
//! column gets the common start of its two sides. The template is never swapped for a training one here.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::columns::{concatenated, list, texts};
use super::trl_sft::{RowCall, TruncationMode, common_prefix, is_conversational};
use super::{AnswerSide, PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::MaskError;
use crate::tokenizer::TokenId;

/// Fields of `DPOConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrlDpoOptions {
    pub max_length: Option<usize>,
    pub truncation_mode: TruncationMode,
}

impl Default for TrlDpoOptions {
    fn default() -> Self {
        Self { max_length: Some(1024), truncation_mode: TruncationMode::KeepStart }
    }
}

/// The trainer after its constructor.
#[derive(Debug)]
pub struct DpoTrainer<'a> {
    resources: Resources<'a>,
    options: TrlDpoOptions,
}

impl<'a> DpoTrainer<'a> {
    /// The constructor.
    pub fn new(resources: Resources<'a>, options: TrlDpoOptions) -> Self {
        Self { resources, options }
    }

    /// The ids of the prompt, and of the prompt with each side.
    fn tokenize(&self, row: &Map<String, Value>) -> Result<[Vec<TokenId>; 3], MaskError> {
        let resources = &self.resources;
        let column =
            |key: &str| row.get(key).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")));
        let (prompt, chosen, rejected) = (column("prompt")?, column("chosen")?, column("rejected")?);
        if is_conversational(row) {
            let call = RowCall::new(resources, None, row)?;
            let side = |side: &Value| resources.render_ids(&call.whole(&concatenated(prompt, side)?));
            let prompt = resources.render_ids(&call.prompt(list(Some(prompt))))?;
            return Ok([prompt, side(chosen)?, side(rejected)?]);
        }
        let eos = resources.eos_text()?;
        let side = |side: &Value| {
            let (prompt, side) = texts(prompt, side)?;
            let eos = if side.ends_with(eos) { "" } else { eos };
            resources.ids_with_special_tokens(&format!("{prompt}{side}{eos}"))
        };
        let prompt = prompt.as_str().unwrap_or_default();
        Ok([resources.ids_with_special_tokens(prompt)?, side(chosen)?, side(rejected)?])
    }
}

impl RowPreparer for DpoTrainer<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let row = match row.contains_key("prompt") {
            true => row.clone(),
            false => extract_prompt(row)?,
        };
        let [prompt, chosen, rejected] = self.tokenize(&row)?;
        let prompt_len = common_prefix(&prompt, &chosen).min(common_prefix(&prompt, &rejected));
        let TrlDpoOptions { max_length, truncation_mode } = self.options;
        let full =
            max_length.filter(|max| truncation_mode == TruncationMode::KeepStart && prompt_len >= *max);
        if let Some(max) = full {
            let reason = format!("the prompt alone ({prompt_len} tokens) fills max_length {max}");
            return Ok(PreparedRow::dropped(reason));
        }
        // The prompt's ids are the same on both sides, so each side is one run of ids.
        let sequence = |side: AnswerSide, ids: Vec<TokenId>| {
            let targets = (0..ids.len()).map(|index| index >= prompt_len).collect();
            let mut sequence = TrainingSequence {
                side: Some(side),
                prompt_len: Some(prompt_len),
                ..TrainingSequence::new(ids, targets)
            };
            if let Some(max) = max_length {
                truncation_mode.cut(&mut sequence, max);
            }
            sequence
        };
        let sequences = vec![sequence(AnswerSide::Chosen, chosen), sequence(AnswerSide::Rejected, rejected)];
        Ok(PreparedRow { sequences, ..PreparedRow::default() })
    }
}

/// TRL's `extract_prompt`: what both sides begin with becomes the prompt. Where one side is the beginning of the other,
/// its last item stays a completion.
pub(super) fn extract_prompt(row: &Map<String, Value>) -> Result<Map<String, Value>, MaskError> {
    let mut row = row.clone();
    let unbound = || {
        let message = "cannot access local variable 'idx' where it is not associated with a value";
        MaskError::python("UnboundLocalError", message)
    };
    let (prompt, chosen, rejected) = match (row.get("chosen"), row.get("rejected")) {
        (Some(Value::String(chosen)), Some(Value::String(rejected))) => {
            let chosen: Vec<char> = chosen.chars().collect();
            let rejected: Vec<char> = rejected.chars().collect();
            let at = split_at(&chosen, &rejected, |c| *c == ' ').ok_or_else(unbound)?;
            let text = |chars: &[char]| Value::from(chars.iter().collect::<String>());
            let (prompt, rest) = chosen.split_at(at);
            (text(prompt), text(rest), text(rejected.get(at..).unwrap_or_default()))
        }
        (chosen, rejected) => {
            let (chosen, rejected) = (list(chosen), list(rejected));
            let at = split_at(chosen, rejected, |_| false).ok_or_else(unbound)?;
            let (prompt, rest) = chosen.split_at(at);
            let value = |items: &[Value]| Value::Array(items.to_vec());
            (value(prompt), value(rest), value(rejected.get(at..).unwrap_or_default()))
        }
    };
    for (key, value) in [("prompt", prompt), ("chosen", chosen), ("rejected", rejected)] {
        row.insert(key.into(), value);
    }
    Ok(row)
}

/// Where two sides part: at the first item that differs, one earlier after a space; at the last item that both have
/// where none differs. `None` where a side is empty.
fn split_at<T: PartialEq>(chosen: &[T], rejected: &[T], is_space: impl Fn(&T) -> bool) -> Option<usize> {
    let shared = chosen.len().min(rejected.len());
    let last = shared.checked_sub(1)?;
    match chosen.iter().zip(rejected).position(|(one, other)| one != other) {
        // Python reads `chosen[-1]` where the first item differs, and a slice that begins at -1.
        Some(0) => Some(0),
        Some(at) if chosen.get(at - 1).is_some_and(is_space) => Some(at - 1),
        Some(at) => Some(at),
        None => Some(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn extracted(row: Value) -> Map<String, Value> {
        extract_prompt(row.as_object().unwrap()).unwrap()
    }

    #[test]
    fn the_common_start_is_the_prompt() {
        let row = extracted(json!({"chosen": "Is it? Yes", "rejected": "Is it? No"}));
        assert_eq!((&row["prompt"], &row["chosen"]), (&json!("Is it?"), &json!(" Yes")));
        let messages = json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]);
        let row = extracted(json!({"chosen": messages, "rejected": messages}));
        assert_eq!(list(row.get("prompt")).len(), 1, "equal sides keep their last message");
        let empty = json!({"chosen": [], "rejected": []});
        assert!(extract_prompt(empty.as_object().unwrap()).is_err());
    }
}
