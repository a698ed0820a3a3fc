//! What is known of the class of a loaded tokenizer: its name, attributes and limits.

use super::release::{Loader, Release};
use super::special::Role;

/// `model_max_length` of a tokenizer that names none: Python's `int(1e30)`.
pub const VERY_LARGE_INTEGER: u128 = 1_000_000_000_000_000_019_884_624_838_656;

/// The side on which a batch is padded or cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PaddingSide {
    Left,
    #[default]
    Right,
}

impl PaddingSide {
    /// `left` or `right`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// What is known of a loaded tokenizer's class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFacts {
    /// `type(tokenizer).__name__`.
    pub name: String,
    pub loader: Loader,
    pub release: Release,
    /// The attribute `legacy`; `None` where the object has no such attribute.
    pub legacy: Option<bool>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    /// The roles whose tokens a slow class puts before and behind a text, where the two flags above say so.
    pub ends: [Role; 2],
    /// The attribute `add_bos_token`, which may differ from what is done; `None` without such an attribute.
    pub add_bos_token: Option<bool>,
    /// The attribute `add_eos_token`.
    pub add_eos_token: Option<bool>,
    /// The attribute `add_prefix_space`.
    pub add_prefix_space: Option<bool>,
    /// False for classes whose list of special tokens is closed (Qwen-1, StableLM).
    pub can_add_tokens: bool,
    pub model_max_length: u128,
    pub padding_side: PaddingSide,
    pub truncation_side: PaddingSide,
    pub clean_up_tokenization_spaces: bool,
}

impl ClassFacts {
    /// The message of the `AttributeError` that this release raises for a missing attribute.
    pub fn missing_attribute(&self, attribute: &str) -> String {
        match self.release {
            Release::V5 => format!("{} has no attribute {attribute}", self.name),
            _ => format!("'{}' object has no attribute '{attribute}'", self.name),
        }
    }
}
