//! The special-token table of a loaded tokenizer: what `maskscope special` shows.

use super::encoding::TokenId;
use super::facts::PaddingSide;
use super::loaded::Tokenizer;
use super::release::{Loader, Release};
use super::special::{Role, SpecialToken};

/// A role's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleToken {
    pub content: String,
    /// `None` where the class finds no id for it.
    pub id: Option<TokenId>,
}

/// A tokenizer's class, sizes, limits and special tokens, under the names of the Python attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialTokenTable {
    pub class: String,
    pub loader: Loader,
    /// The attribute `is_fast`: in 5.x true for every class over the `tokenizers` library.
    pub is_fast: bool,
    /// Tokens of the base vocabulary.
    pub vocab_size: usize,
    /// Base vocabulary and added tokens.
    pub len: usize,
    /// Python's `int(1e30)` where the files name none.
    pub model_max_length: u128,
    pub padding_side: PaddingSide,
    pub truncation_side: PaddingSide,
    /// All seven roles, in Python's order.
    pub roles: Vec<(Role, Option<RoleToken>)>,
    /// `None` in 5.x, where the classes lost this attribute.
    pub additional_special_tokens: Option<Vec<String>>,
    pub added_tokens: Vec<(TokenId, SpecialToken)>,
    /// False where the class keeps no such table of its own (fast classes of 4.31).
    pub has_added_tokens_table: bool,
    pub adds_bos: bool,
    pub adds_eos: bool,
    pub can_add_special_tokens: bool,
    /// The next four are `None` where the object has no such attribute.
    pub legacy: Option<bool>,
    pub add_bos_token: Option<bool>,
    pub add_eos_token: Option<bool>,
    pub add_prefix_space: Option<bool>,
    pub clean_up_tokenization_spaces: bool,
}

impl Tokenizer {
    /// The special-token table as it is now, overrides included.
    pub fn special_token_table(&self) -> SpecialTokenTable {
        let facts = &self.facts;
        let role = |role: Role| {
            let token = self.special.get(role)?;
            Some(RoleToken { content: token.content.clone(), id: self.role_id(role) })
        };
        let additional = self.special.additional.iter().map(|t| t.content.clone()).collect();
        SpecialTokenTable {
            class: facts.name.clone(),
            loader: facts.loader,
            is_fast: facts.loader == Loader::Fast,
            vocab_size: self.vocab_size(),
            len: self.len(),
            model_max_length: facts.model_max_length,
            padding_side: facts.padding_side,
            truncation_side: facts.truncation_side,
            roles: Role::ALL.into_iter().map(|r| (r, role(r))).collect(),
            additional_special_tokens: (facts.release != Release::V5).then_some(additional),
            added_tokens: self.added.iter().map(|(id, t)| (id, t.clone())).collect(),
            has_added_tokens_table: facts.release != Release::V4_31 || facts.loader == Loader::Slow,
            adds_bos: facts.adds_bos,
            adds_eos: facts.adds_eos,
            can_add_special_tokens: facts.can_add_tokens,
            legacy: facts.legacy,
            add_bos_token: facts.add_bos_token,
            add_eos_token: facts.add_eos_token,
            add_prefix_space: facts.add_prefix_space,
            clean_up_tokenization_spaces: facts.clean_up_tokenization_spaces,
        }
    }
}
