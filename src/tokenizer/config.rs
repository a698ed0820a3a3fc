//! `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`: what Python's `from_pretrained`
//! makes of them before a class is built.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::encoding::TokenId;
use super::facts::{PaddingSide, VERY_LARGE_INTEGER};
use super::files::FileSet;
use super::release::Release;
use super::special::{Role, SpecialToken, SpecialTokens};
use crate::error::{Error, Result};

/// The special tokens that a class has before any file is read, and what it makes of those given as strings.
#[derive(Debug, Clone, Copy)]
pub struct TokenDefaults {
    /// Default tokens.
    pub roles: &'static [(Role, &'static str)],
    /// `normalized` of a special token given as a string; `None` where the class keeps the string.
    pub wraps_strings: Option<bool>,
    /// In 4.31 too the slow class wraps strings, and a fast class made from it copies its tokens.
    pub wraps_in_4_31: bool,
    /// `normalized` of a mask token given as a string, which then takes the white space to its left.
    pub mask: Option<bool>,
}

impl TokenDefaults {
    /// No token of the class's own.
    pub const NONE: Self = Self { roles: &[], wraps_strings: None, wraps_in_4_31: true, mask: None };
}

/// The arguments that the Python class would be built with.
#[derive(Debug, Clone, Default)]
pub struct InitArguments {
    values: Map<String, Value>,
    /// Special tokens after all files were merged.
    pub special: SpecialTokens,
    /// `added_tokens_decoder`: tokens with the ids that the files give them.
    pub added: BTreeMap<TokenId, SpecialToken>,
    /// Roles whose token comes as a plain string from `special_tokens_map.json`, set *after* the class was
    /// built (transformers 4.31).
    pub assigned_later: Vec<(Role, SpecialToken)>,
    /// `added_tokens.json` in id order (transformers 4.31 adds them one by one).
    pub added_file: Vec<(String, TokenId)>,
}

impl InitArguments {
    /// Reads and merges the files as the given release does.
    pub fn read(files: &FileSet, defaults: &TokenDefaults, release: Release) -> Result<Self> {
        let mut arguments = Self { values: object(files, "tokenizer_config.json")?, ..Self::default() };
        arguments.read_roles(defaults);
        let map = object(files, "special_tokens_map.json")?;
        arguments.added_file = read_added_file(files)?;
        if release == Release::V4_31 {
            arguments.assigned_later = roles_in(&map, true);
            arguments.read_additional(&map);
            arguments.wrap_mask(defaults);
            return Ok(arguments);
        }
        if let Some(Value::Object(decoder)) = arguments.values.get("added_tokens_decoder") {
            let path = files.path_of("tokenizer_config.json");
            for (id, value) in decoder {
                let id = id
                    .parse()
                    .map_err(|_| Error::format(&path, format!("added_tokens_decoder: {id:?} is no id")))?;
                let token = SpecialToken::from_json(value, false).filter(|t| !t.plain_str);
                let token = token.ok_or_else(|| {
                    Error::format(&path, format!("added_tokens_decoder: the token at {id} is not an object"))
                })?;
                arguments.added.insert(id, token);
            }
        } else {
            arguments.merge_legacy(files, &map)?;
        }
        arguments.prefer_added();
        // 5.x makes the same of every string, when it is added.
        if release != Release::V5 {
            arguments.wrap_mask(defaults);
            arguments.wrap_strings(defaults);
        }
        Ok(arguments)
    }

    /// True where the configuration has this key, a null included.
    pub fn names(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The content of the unk token.
    pub fn unk(&self) -> Option<String> {
        self.special.get(Role::Unk).map(|token| token.content.clone())
    }

    /// A string value of the configuration.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    /// How many `<extra_id_N>` tokens a T5 class makes.
    pub fn extra_ids(&self) -> usize {
        let given = self.values.get("extra_ids").and_then(Value::as_u64);
        // No model has more than a few hundred; a hostile number must not fill the memory.
        given.map_or(100, |n| usize::try_from(n).unwrap_or(0).min(10_000))
    }

    /// T5: the sentinels are additional special tokens unless the files already name some.
    pub fn add_sentinels(&mut self) {
        let named = |t: &SpecialToken| t.content.contains("<extra_id_");
        if !self.special.additional.iter().any(named) {
            let sentinels = (0..self.extra_ids()).map(|i| SpecialToken::from_str(&format!("<extra_id_{i}>")));
            self.special.additional.extend(sentinels);
        }
    }

    /// Leaves values of the configuration out of account.
    pub fn forget(&mut self, keys: &[&str]) {
        for key in keys {
            self.values.shift_remove(*key);
        }
    }

    /// A boolean value of the configuration.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key).and_then(Value::as_bool)
    }

    /// `model_max_length`, Python's very large integer without one.
    pub fn model_max_length(&self) -> u128 {
        let value = self.values.get("model_max_length");
        let whole = value.and_then(Value::as_u64).map(u128::from);
        // 1e30 does not fit in 64 bits; serde_json then gives a float, and Python compares against int(1e30).
        whole.or_else(|| value.and_then(Value::as_f64).map(|f| f as u128)).unwrap_or(VERY_LARGE_INTEGER)
    }

    /// `padding_side` or `truncation_side`, if the configuration has one.
    pub fn side(&self, key: &str) -> Option<PaddingSide> {
        match self.text(key) {
            Some("left") => Some(PaddingSide::Left),
            Some("right") => Some(PaddingSide::Right),
            _ => None,
        }
    }

    /// Defaults of the class, then the values of `tokenizer_config.json` (an explicit null takes a role away).
    fn read_roles(&mut self, defaults: &TokenDefaults) {
        for (role, content) in defaults.roles {
            self.special.set(*role, Some(SpecialToken::from_str(content)));
        }
        for role in Role::ALL {
            if let Some(value) = self.values.get(role.attribute()) {
                self.special.set(role, SpecialToken::from_json(value, false));
            }
        }
        let values = std::mem::take(&mut self.values);
        self.read_additional(&values);
        self.values = values;
    }

    fn read_additional(&mut self, map: &Map<String, Value>) {
        for value in map.get("additional_special_tokens").and_then(Value::as_array).into_iter().flatten() {
            if let Some(token) = SpecialToken::from_json(value, true)
                && !self.special.additional.iter().any(|t| t.content == token.content)
            {
                self.special.additional.push(token);
            }
        }
    }

    /// 4.34 and later without `added_tokens_decoder`: the older files are folded into one.
    fn merge_legacy(&mut self, files: &FileSet, map: &Map<String, Value>) -> Result<()> {
        for (role, token) in roles_in(map, true) {
            self.special.set(role, Some(token));
        }
        self.read_additional(map);
        for (content, id) in &self.added_file {
            let special = self.special.contains(content);
            self.added.insert(*id, SpecialToken::added(content, !special, special));
        }
        if let Some(Value::Object(json)) = files.json("tokenizer.json")? {
            let path = files.path_of("tokenizer.json");
            for value in json.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
                let id = value.get("id").and_then(Value::as_u64).and_then(|id| TokenId::try_from(id).ok());
                match (id, SpecialToken::from_json(value, false)) {
                    (Some(id), Some(token)) => self.added.insert(id, token),
                    _ => return Err(Error::format(&path, "an added token has no id or no content")),
                };
            }
        }
        Ok(())
    }

    /// A role's token takes the flags of the added token of the same content.
    fn prefer_added(&mut self) {
        for role in Role::ALL {
            let content = self.special.get(role).map(|t| t.content.clone());
            let added = content.and_then(|c| self.added.values().find(|t| t.content == c).cloned());
            if added.is_some() {
                self.special.set(role, added);
            }
        }
    }

    /// Classes whose mask token takes the white space to its left when it is given as a string.
    fn wrap_mask(&mut self, defaults: &TokenDefaults) {
        let mask = self.special.get(Role::Mask).filter(|t| t.plain_str);
        if let (Some(normalized), Some(mask)) = (defaults.mask, mask) {
            let token = SpecialToken { lstrip: true, ..SpecialToken::added(&mask.content, normalized, true) };
            self.special.set(Role::Mask, Some(token));
        }
    }

    /// 4.31: the fast class made from a slow one takes copies of its special tokens, and a copy of a token that does not
    /// say whether it is normalized says that it is.
    pub fn copy_from_slow_class(&mut self, defaults: &TokenDefaults) {
        for role in Role::ALL {
            let says = self.values.get(role.attribute()).is_some_and(|v| v.get("normalized").is_some());
            let Some(token) = self.special.get(role).filter(|_| !says) else { continue };
            if !token.plain_str || defaults.wraps_strings.is_some() {
                let token = SpecialToken { normalized: true, plain_str: false, ..token.clone() };
                self.special.set(role, Some(token));
            }
        }
    }

    /// CodeLlama: the tokens of its middle-filling are additional special ones.
    pub fn add_infilling_tokens(&mut self, release: Release) {
        const NAMES: [(&str, &str); 4] =
            [("prefix", "▁<PRE>"), ("middle", "▁<MID>"), ("suffix", "▁<SUF>"), ("eot", "▁<EOT>")];
        let mut contents: Vec<String> =
            NAMES.iter().filter_map(|(name, default)| self.named_token(name, default)).collect();
        if release == Release::V5 {
            let names = NAMES.into_iter().chain([("fill", "<FILL_ME>")]);
            contents.extend(self.named_token("fill", "<FILL_ME>"));
            contents.extend(names.filter_map(|(name, default)| self.infilling_token(name, default, release)));
        }
        self.special.additional.retain(|t| !contents.contains(&t.content));
        for content in contents {
            if !self.special.additional.iter().any(|t| t.content == content) {
                self.special.additional.push(SpecialToken::from_str(&content));
            }
        }
    }

    /// A token of CodeLlama's middle-filling; `None` where the configuration takes it away. 5.x keeps what the
    /// configuration names beside the class, which goes on with its own.
    pub fn infilling_token(&self, name: &str, default: &str, release: Release) -> Option<String> {
        let named = self.named_token(name, default)?;
        Some(if release == Release::V5 { default.to_string() } else { named })
    }

    fn named_token(&self, name: &str, default: &str) -> Option<String> {
        let given = match self.values.get(&format!("{name}_token")) {
            Some(Value::Null) => return None,
            given => given.and_then(|value| SpecialToken::from_json(value, true)),
        };
        Some(given.map_or_else(|| default.to_string(), |token| token.content))
    }

    /// A list of texts of the configuration; empty where there is none.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let list = self.values.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|v| v.as_str().map(str::to_string)).collect()
    }

    /// Classes that turn a string into an `AddedToken` as soon as they get it.
    pub fn wrap_strings(&mut self, defaults: &TokenDefaults) {
        let Some(normalized) = defaults.wraps_strings else { return };
        for role in Role::ALL {
            if let Some(token) = self.special.get(role).filter(|t| t.plain_str) {
                let token = SpecialToken::added(&token.content, normalized, true);
                self.special.set(role, Some(token));
            }
        }
    }
}

fn object(files: &FileSet, name: &str) -> Result<Map<String, Value>> {
    match files.json(name)? {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(Error::format(files.path_of(name), "expected a JSON object")),
    }
}

fn roles_in(map: &Map<String, Value>, special: bool) -> Vec<(Role, SpecialToken)> {
    Role::ALL
        .into_iter()
        .filter_map(|role| Some((role, SpecialToken::from_json(map.get(role.attribute())?, special)?)))
        .collect()
}

fn read_added_file(files: &FileSet) -> Result<Vec<(String, TokenId)>> {
    let mut tokens = Vec::new();
    for (content, id) in object(files, "added_tokens.json")? {
        let id = id.as_u64().and_then(|id| TokenId::try_from(id).ok()).ok_or_else(|| {
            Error::format(files.path_of("added_tokens.json"), format!("{content:?} has no valid id"))
        })?;
        tokens.push((content, id));
    }
    tokens.sort_by_key(|(_, id)| *id);
    Ok(tokens)
}
