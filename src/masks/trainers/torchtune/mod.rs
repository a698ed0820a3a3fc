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
pub mod packing;
pub mod prompt_template;
pub mod tokenize;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::messages::{Message, validate};
use crate::masks::MaskError;
use crate::masks::trainers::{PreparedRow, Resources, RowPreparer, Side, TrainingSequence};

/// Arguments of a recipe's data set and tokenizer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which tokenizer class, and with which prompt template.
    pub template: Model,
    /// `None`: the default of the row's layout, true for Alpaca.
    pub train_on_input: Option<bool>,
    pub new_system_prompt: Option<String>,
    pub max_seq_len: Option<usize>,
    /// Names of columns other than a layout's own.
    pub column_map: Map<String, Value>,
}

/// A tokenizer class of torchtune and its prompt template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    #[default]
    Llama3,
    /// The same with `ChatMLTemplate`.
    Llama3Chatml,
    #[serde(rename = "qwen2_5")]
    Qwen25,
    Mistral,
    /// Mistral's tokenizer without a prompt template.
    MistralPlain,
    Llama2,
    Phi3,
}

impl Model {
    /// All, by the names that an option takes.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("llama3", Self::Llama3),
        ("llama3_chatml", Self::Llama3Chatml),
        ("qwen2_5", Self::Qwen25),
        ("mistral", Self::Mistral),
        ("mistral_plain", Self::MistralPlain),
        ("llama2", Self::Llama2),
        ("phi3", Self::Phi3),
    ];
}

/// A data set of torchtune.
#[derive(Debug)]
pub struct TorchtuneDataset<'a> {
    resources: Resources<'a>,
    options: Options,
}

impl<'a> TorchtuneDataset<'a> {
    /// The data set.
    pub fn new(resources: Resources<'a>, options: Options) -> Self {
        Self { resources, options }
    }

    /// `SFTTransform` on messages.
    ///
    /// # Errors
    /// `ValueError` for messages that do not alternate.
    pub fn sft(&self, messages: &[Message]) -> Result<TrainingSequence, MaskError> {
        validate(messages)?;
        self.tokenize(messages)
    }

    fn tokenize(&self, messages: &[Message]) -> Result<TrainingSequence, MaskError> {
        tokenize::tokenize(&self.resources, self.options.template, messages, self.options.max_seq_len)
    }
}

impl RowPreparer for TorchtuneDataset<'_> {
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError> {
        if row.contains_key("chosen") && row.contains_key("rejected") {
            let side = |side: Side| -> Result<TrainingSequence, MaskError> {
                let messages = messages::preference_side(row, side, &self.options)?;
                Ok(TrainingSequence { side: Some(side), ..self.tokenize(&messages)? })
            };
            let sequences = vec![side(Side::Chosen)?, side(Side::Rejected)?];
            return Ok(PreparedRow { sequences, ..PreparedRow::default() });
        }
        let messages = messages::of_row(row, &self.options)?;
        Ok(PreparedRow::one(self.sft(&messages)?))
    }
}
