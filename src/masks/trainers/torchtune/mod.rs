//! torchtune 0.6.1: message transforms, tokenizers with their own special tokens, packs and preference rows.
//!
//! Every message is encoded by itself and carries one flag, `masked`; a header and an end of turn belong to their message.
//! The special tokens have the ids of torchtune's own tables, whatever the tokenizer's files say.
//!
//! | file | of what |
//! | --- | --- |
//! | [`messages`] | rows of five layouts as messages |
//! | [`prompt_template`] | text around contents |
//! | [`tokenize`] | messages as tokens, one function a tokenizer class |
//! | [`packing`] | `PackedDataset` |

pub mod messages;
pub mod options;
pub mod packing;
pub mod prompt_template;
pub mod tokenize;

use serde_json::{Map, Value};

use self::messages::{TorchtuneMessage, validate};
pub use self::options::{TorchtuneModel, TorchtuneOptions};
use crate::masks::MaskError;
use crate::masks::trainers::{AnswerSide, PreparedRow, Resources, RowPreparer, TrainingSequence};

/// A data set of torchtune.
#[derive(Debug)]
pub struct TorchtuneDataset<'a> {
    resources: Resources<'a>,
    options: TorchtuneOptions,
}

impl<'a> TorchtuneDataset<'a> {
    /// The data set.
    pub fn new(resources: Resources<'a>, options: TorchtuneOptions) -> Self {
        Self { resources, options }
    }

    /// `SFTTransform` on messages.
    ///
    /// # Errors
    /// `ValueError` for messages that do not alternate.
    pub fn sft(&self, messages: &[TorchtuneMessage]) -> Result<TrainingSequence, MaskError> {
        validate(messages)?;
        self.tokenize(messages)
    }

    fn tokenize(&self, messages: &[TorchtuneMessage]) -> Result<TrainingSequence, MaskError> {
        tokenize::tokenize(&self.resources, self.options.template, messages, self.options.max_seq_len)
    }
}

impl RowPreparer for TorchtuneDataset<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        if row.contains_key("chosen") && row.contains_key("rejected") {
            let side = |side: AnswerSide| -> Result<TrainingSequence, MaskError> {
                let messages = messages::preference_side(row, side, &self.options)?;
                Ok(TrainingSequence { side: Some(side), ..self.tokenize(&messages)? })
            };
            let sequences = vec![side(AnswerSide::Chosen)?, side(AnswerSide::Rejected)?];
            return Ok(PreparedRow { sequences, ..PreparedRow::default() });
        }
        let messages = messages::of_row(row, &self.options)?;
        Ok(PreparedRow::one(self.sft(&messages)?))
    }
}
