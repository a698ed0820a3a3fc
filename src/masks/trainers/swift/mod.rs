//! ms-swift 4.6 `Template.encode` (`template/base.py`): conversations by swift's own formats.
//!
//! A conversation becomes contexts: texts and ids with a kind (answer, suffix, anything else). [`loss_scale`] decides what
//! each weighs, neighbours of equal weight are joined, and every context is tokenised by itself. The tokens that end an
//! answer are supervised afterwards, by what they are (`dynamic_eos`), and the first token never is.
//!
//! | file | of what |
//! | --- | --- |
//! | [`inputs`] | a row as swift's messages |
//! | [`agent`], `qwen3_coder` | tools, calls and results |
//! | [`prepare`] | messages put together, thinking blocks added or removed |
//! | [`mod@format`] | the formats by name |
//! | [`template`] | a format with its options |
//! | [`contexts`] | a conversation as contexts |
//! | [`loss_scale`] | weights |
//! | [`encode`] | contexts as tokens, truncation |
//! | [`choice`] | the format that writes as a chat template does |

pub mod agent;
mod choice;
pub mod contexts;
pub mod encode;
pub mod format;
pub mod inputs;
pub mod loss_scale;
pub mod prepare;
mod qwen3_coder;
pub mod template;
mod tools;
pub mod truncation;

use serde_json::{Map, Value};

pub use self::choice::format_like;
use self::encode::SwiftEncoded;
use self::inputs::StdInputs;
pub use self::template::{Backend, SwiftOptions, SwiftTemplate};
use crate::masks::MaskError;
use crate::masks::trainers::{AnswerSide, PreparedRow, RowPreparer, TrainingSequence};

impl SwiftTemplate<'_> {
    /// One conversation as sequences, one unless a long row is split.
    fn sequences(&self, row: &Map<String, Value>) -> Result<Vec<TrainingSequence>, MaskError> {
        let mut inputs = StdInputs::read(row)?;
        prepare::tools(self, &mut inputs)?;
        prepare::messages(self, &mut inputs)?;
        let pieces = match self.options.template_backend {
            Backend::Swift => contexts::swift(self, inputs)?,
            Backend::Jinja => contexts::jinja(self, inputs)?,
        };
        let mut encoded = SwiftEncoded::of(self, pieces)?;
        encoded.dynamic_eos(&encode::suffix_ids(self)?);
        encoded.mask_first()?;
        encoded.truncate(self.options.max_length, self.options.truncation_strategy)
    }
}

impl RowPreparer for SwiftTemplate<'_> {
    /// A row with `rejected_messages` or `rejected_response` is a preference row.
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        let Some(rejected) = rejected_row(row)? else {
            return Ok(PreparedRow { sequences: self.sequences(row)?, ..PreparedRow::default() });
        };
        let mut sequences = Vec::new();
        for (side, row) in [(AnswerSide::Chosen, row), (AnswerSide::Rejected, &rejected)] {
            let of_side = self.sequences(row)?;
            sequences.extend(
                of_side.into_iter().map(|sequence| TrainingSequence { side: Some(side), ..sequence }),
            );
        }
        Ok(PreparedRow { sequences, ..PreparedRow::default() })
    }
}

/// Rows in one sequence (`packing`, `padding_free`): positions restart at each.
#[cfg(feature = "internals")]
pub fn packed(rows: &[TrainingSequence]) -> TrainingSequence {
    let mut pack = TrainingSequence::default();
    let mut lengths = Vec::new();
    let mut positions = Vec::new();
    for row in rows {
        pack.input_ids.extend(&row.input_ids);
        pack.targets.extend(&row.targets);
        if let Some(weights) = &row.weights {
            pack.weights.get_or_insert_default().extend(weights);
        }
        positions.extend(0..row.input_ids.len());
        lengths.push(row.input_ids.len());
    }
    TrainingSequence { position_ids: Some(positions), seq_lens: Some(lengths), ..pack }
}

/// The rejected side of a preference row as a row of its own; keys that it lacks are the chosen side's.
fn rejected_row(row: &Map<String, Value>) -> Result<Option<Map<String, Value>>, MaskError> {
    let messages = match (row.get("rejected_messages"), row.get("rejected_response")) {
        (Some(Value::Array(messages)), _) => messages.clone(),
        (_, Some(response)) if !response.is_null() => {
            let all = row.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let last_user = all.iter().rposition(|message| crate::masks::role(message) == "user");
            let mut kept = all.get(..last_user.map_or(0, |at| at + 1)).unwrap_or_default().to_vec();
            match response {
                Value::String(text) => kept.push(serde_json::json!({"role": "assistant", "content": text})),
                Value::Array(messages) => kept.extend(messages.iter().cloned()),
                other => {
                    let shown = crate::masks::trainers::python_json::repr(other);
                    let message =
                        format!("rejected_response must be a str or list. rejected_response: {shown}");
                    return Err(MaskError::python("ValueError", message));
                }
            }
            kept
        }
        _ => return Ok(None),
    };
    let own =
        |(key, value): (&String, &Value)| Some((key.strip_prefix("rejected_")?.to_string(), value.clone()));
    let given = row.contains_key("rejected_messages");
    let shared = row.iter().filter(|(key, _)| !given && !key.starts_with("rejected_"));
    let mut rejected: Map<String, Value> = shared.map(|(key, value)| (key.clone(), value.clone())).collect();
    rejected.extend(row.iter().filter_map(own));
    rejected.insert("messages".into(), Value::Array(messages));
    Ok(Some(rejected))
}
