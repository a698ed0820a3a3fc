//! Special-token roles, added tokens, and their flags, as the Python classes keep them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::encoding::TokenId;

/// A role that a token can have. The order is that of Python's `SPECIAL_TOKENS_ATTRIBUTES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Bos,
    Eos,
    Unk,
    Sep,
    Pad,
    Cls,
    Mask,
}

impl Role {
    /// All roles, in Python's order.
    pub const ALL: [Role; 7] = [Role::Bos, Role::Eos, Role::Unk, Role::Sep, Role::Pad, Role::Cls, Role::Mask];

    /// The attribute's name without `_token`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Bos => "bos",
            Role::Eos => "eos",
            Role::Unk => "unk",
            Role::Sep => "sep",
            Role::Pad => "pad",
            Role::Cls => "cls",
            Role::Mask => "mask",
        }
    }

    /// The attribute's name: `unk_token`.
    pub fn attribute(self) -> &'static str {
        match self {
            Role::Bos => "bos_token",
            Role::Eos => "eos_token",
            Role::Unk => "unk_token",
            Role::Sep => "sep_token",
            Role::Pad => "pad_token",
            Role::Cls => "cls_token",
            Role::Mask => "mask_token",
        }
    }
}

/// A token with the flags that decide how it is found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialToken {
    pub content: String,
    pub lstrip: bool,
    pub rstrip: bool,
    pub normalized: bool,
    pub single_word: bool,
    pub special: bool,
    /// Python holds a plain `str` here, not an `AddedToken`: transformers 4.31 then strips whitespace beside it.
    pub plain_str: bool,
}

impl SpecialToken {
    /// A token given as a plain string.
    #[allow(clippy::should_implement_trait)] // infallible, and named after Python's `str`
    pub fn from_str(content: &str) -> Self {
        Self {
            content: content.to_string(),
            lstrip: false,
            rstrip: false,
            normalized: false,
            single_word: false,
            special: true,
            plain_str: true,
        }
    }

    /// An `AddedToken` with the given `normalized` and `special` and no stripping.
    pub fn added(content: &str, normalized: bool, special: bool) -> Self {
        Self { normalized, special, plain_str: false, ..Self::from_str(content) }
    }

    /// Reads `"<s>"` or `{"content": "<s>", "lstrip": false, …}`; `None` for anything else.
    ///
    /// `special` is the default where the dictionary does not say (Python's `AddedToken` says `False`).
    pub fn from_json(value: &Value, special: bool) -> Option<Self> {
        match value {
            Value::String(s) => Some(Self::from_str(s)),
            Value::Object(map) => {
                let flag = |key: &str| map.get(key).and_then(Value::as_bool);
                let special = flag("special").unwrap_or(special);
                Some(Self {
                    content: map.get("content")?.as_str()?.to_string(),
                    lstrip: flag("lstrip").unwrap_or(false),
                    rstrip: flag("rstrip").unwrap_or(false),
                    normalized: flag("normalized").unwrap_or(!special),
                    single_word: flag("single_word").unwrap_or(false),
                    special,
                    plain_str: false,
                })
            }
            _ => None,
        }
    }
}

/// The tokens that have a role, and the additional special ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    roles: BTreeMap<Role, SpecialToken>,
    pub additional: Vec<SpecialToken>,
}

impl SpecialTokens {
    /// The token of a role.
    pub fn get(&self, role: Role) -> Option<&SpecialToken> {
        self.roles.get(&role)
    }

    /// Gives a role a token, or takes it away.
    pub fn set(&mut self, role: Role, token: Option<SpecialToken>) {
        match token {
            Some(token) => self.roles.insert(role, token),
            None => self.roles.remove(&role),
        };
    }

    /// All of them in Python's order, each content once (`all_special_tokens_extended`).
    pub fn all(&self) -> Vec<&SpecialToken> {
        let mut seen = HashSet::new();
        self.roles.values().chain(&self.additional).filter(|token| seen.insert(&token.content)).collect()
    }

    /// True when `content` is one of the special tokens.
    pub fn contains(&self, content: &str) -> bool {
        self.roles.values().chain(&self.additional).any(|t| t.content == content)
    }

    /// The roles that `content` has.
    pub fn roles_of(&self, content: &str) -> Vec<Role> {
        self.roles.iter().filter(|(_, t)| t.content == content).map(|(r, _)| *r).collect()
    }
}

/// Added tokens by id (`added_tokens_decoder`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddedTokens {
    by_id: BTreeMap<TokenId, SpecialToken>,
    /// The last id of each content.
    by_content: HashMap<String, TokenId>,
}

impl AddedTokens {
    /// The id of a token's content, the last one where several share it (as Python's reverse map keeps).
    pub fn id_of(&self, content: &str) -> Option<TokenId> {
        self.by_content.get(content).copied()
    }

    /// The token at an id.
    pub fn get(&self, id: TokenId) -> Option<&SpecialToken> {
        self.by_id.get(&id)
    }

    /// True when this very token, flags included, is there.
    pub fn has(&self, token: &SpecialToken) -> bool {
        match self.id_of(&token.content).and_then(|id| self.by_id.get(&id)) {
            Some(last) if last == token => true,
            Some(_) => self.by_id.values().any(|t| t == token),
            None => false,
        }
    }

    /// Puts a token at an id.
    pub fn insert(&mut self, id: TokenId, token: SpecialToken) {
        let content = token.content.clone();
        if let Some(before) = self.by_id.insert(id, token)
            && before.content != content
            && self.by_content.get(&before.content) == Some(&id)
        {
            let last = self.by_id.iter().rev().find(|(_, t)| t.content == before.content).map(|(id, _)| *id);
            match last {
                Some(id) => self.by_content.insert(before.content, id),
                None => self.by_content.remove(&before.content),
            };
        }
        let last = self.by_content.entry(content).or_insert(id);
        *last = id.max(*last);
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &SpecialToken)> {
        self.by_id.iter().map(|(id, t)| (*id, t))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
