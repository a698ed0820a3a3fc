//! TRL 1.16 `KTOTrainer`: `_prepare_dataset` of `trainer/kto_trainer.py` on one row of prompt, completion and label.
//!
//! A preference row counts as two such rows, its chosen side wanted and its rejected side not.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::columns::{concatenated, list, texts};
use super::trl_dpo::extract_prompt;
use super::trl_sft::{RowCall, common_prefix, is_conversational};
use super::{AnswerSide, PreparedRow, Resources, RowPreparer, TrainingSequence};
use crate::masks::MaskError;

/// Fields of `KTOConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrlKtoOptions {
    pub max_length: Option<usize>,
}

impl Default for TrlKtoOptions {
    fn default() -> Self {
        Self { max_length: Some(1024) }
    }
}

/// The trainer after its constructor.
#[derive(Debug)]
pub struct KtoTrainer<'a> {
    resources: Resources<'a>,
    options: TrlKtoOptions,
}

impl<'a> KtoTrainer<'a> {
    /// The constructor.
    pub fn new(resources: Resources<'a>, options: TrlKtoOptions) -> Self {
        Self { resources, options }
    }

    /// One row with a `completion`; `None` where its prompt fills `max_length`.
    fn sequence(&self, row: &Map<String, Value>) -> Result<Option<TrainingSequence>, MaskError> {
        let resources = &self.resources;
        let column =
            |key: &str| row.get(key).ok_or_else(|| MaskError::python("KeyError", format!("'{key}'")));
        let (prompt, completion) = (column("prompt")?, column("completion")?);
        let (prompt_ids, ids) = if is_conversational(row) {
            let call = RowCall::new(resources, None, row)?;
            let prompt_ids = resources.render_ids(&call.prompt(list(Some(prompt))))?;
            (prompt_ids, resources.render_ids(&call.whole(&concatenated(prompt, completion)?))?)
        } else {
            let eos = resources.eos_text()?;
            let (prompt, completion) = texts(prompt, completion)?;
            let eos = if completion.ends_with(eos) { "" } else { eos };
            let ids = resources.ids_with_special_tokens(&format!("{prompt}{completion}{eos}"))?;
            (resources.ids_with_special_tokens(prompt)?, ids)
        };
        let prompt_len = common_prefix(&prompt_ids, &ids);
        if self.options.max_length.is_some_and(|max| prompt_len >= max) {
            return Ok(None);
        }
        let wanted = row.get("label").is_none_or(super::python_json::truthy);
        let targets = (0..ids.len()).map(|index| index >= prompt_len).collect();
        let mut sequence = TrainingSequence {
            side: Some(if wanted { AnswerSide::Chosen } else { AnswerSide::Rejected }),
            prompt_len: Some(prompt_len),
            ..TrainingSequence::new(ids, targets)
        };
        if let Some(max) = self.options.max_length {
            sequence.cut(0..max);
        }
        Ok(Some(sequence))
    }
}

impl RowPreparer for KtoTrainer<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let mut rows = vec![row.clone()];
        if row.contains_key("chosen") && row.contains_key("rejected") {
            let row = if row.contains_key("prompt") { row.clone() } else { extract_prompt(row)? };
            rows = [("chosen", true), ("rejected", false)]
                .map(|(side, label)| {
                    let mut unpaired = row.clone();
                    let completion = unpaired.shift_remove(side).unwrap_or_default();
                    unpaired.retain(|key, _| !["chosen", "rejected"].contains(&key.as_str()));
                    unpaired.insert("completion".into(), completion);
                    unpaired.insert("label".into(), label.into());
                    unpaired
                })
                .to_vec();
        }
        let sequences = rows.iter().map(|row| self.sequence(row)).collect::<Result<Vec<_>, _>>()?;
        let sequences: Vec<TrainingSequence> = sequences.into_iter().flatten().collect();
        if sequences.is_empty() {
            return Ok(PreparedRow::dropped("the prompt alone fills max_length"));
        }
        Ok(PreparedRow { sequences, ..PreparedRow::default() })
    }
}
