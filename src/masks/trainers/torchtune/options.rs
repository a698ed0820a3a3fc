//! Options of torchtune's data sets and tokenizers.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Arguments of a recipe's data set and tokenizer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TorchtuneOptions {
    /// Which tokenizer class, and with which prompt template.
    pub template: TorchtuneModel,
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
pub enum TorchtuneModel {
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

impl TorchtuneModel {
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
