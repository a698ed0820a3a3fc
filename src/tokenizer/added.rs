//! Adding tokens to a loaded tokenizer, as each class and release does it, and reading them back.

use std::collections::{BTreeMap, HashMap};

use tokenizers::AddedToken;

use super::encoding::TokenId;
use super::loaded::{Engine, Tokenizer};
use super::release::Release;
use super::slow::split::{Neighbours, Splitter};
use super::special::{AddedTokens, Role, SpecialToken};
use crate::error::{Error, Result};

impl Tokenizer {
    /// Adds tokens (`_add_tokens`). A token that the vocabulary has keeps its id.
    ///
    /// # Errors
    /// Classes with a closed list of special tokens refuse every other one.
    pub fn add_tokens(&mut self, tokens: &[SpecialToken], special: bool) -> Result<()> {
        match (&self.engine, self.facts.release) {
            (Engine::Fast(_), _) => self.add_to_fast(tokens, special),
            (Engine::Slow(..), _) if !self.facts.can_add_tokens => self.check_closed_list(tokens),
            (Engine::Slow(..), Release::V4_31) => {
                self.add_to_slow_4_31(tokens, special);
                self.rebuild_splitter()
            }
            (Engine::Slow(..), _) => self.add_to_slow(tokens, special),
        }
    }

    /// `add_special_tokens({role: content})`: gives a role a token, adding it where it is new.
    ///
    /// # Errors
    /// [`Error::Refused`] from classes with a closed list; the tokenizer is unchanged then.
    pub fn set_special_token(&mut self, role: Role, content: &str) -> Result<()> {
        let token = match self.facts.release {
            Release::V4_31 => SpecialToken::from_str(content),
            _ => SpecialToken::added(content, false, true),
        };
        self.give_role(role, token)
    }

    /// `tokenizer.eos_token = AddedToken(content, normalized=False)` for a token that is in the vocabulary.
    ///
    /// # Errors
    /// As [`Self::set_special_token`].
    pub fn set_special_object(&mut self, role: Role, content: &str) -> Result<()> {
        self.give_role(role, SpecialToken::added(content, false, true))
    }

    fn give_role(&mut self, role: Role, token: SpecialToken) -> Result<()> {
        let before = self.special.get(role).cloned();
        self.special.set(role, Some(token.clone()));
        let added = self.add_tokens(&[token], true);
        if added.is_err() {
            self.special.set(role, before);
        }
        added
    }

    fn check_closed_list(&self, tokens: &[SpecialToken]) -> Result<()> {
        match tokens.iter().find(|t| self.token_to_id(&t.content).is_none()) {
            None => Ok(()),
            Some(token) => Err(Error::Refused {
                class: self.facts.name.clone(),
                what: format!("to add {:?}", token.content),
                reason: "its list of special tokens is closed; choose one that it already has \
                         (`maskscope special` lists them)"
                    .to_string(),
            }),
        }
    }

    /// From 4.34 on: ids go on from `len`, flags are kept, every special token is also looked for in texts.
    fn add_to_slow(&mut self, tokens: &[SpecialToken], special: bool) -> Result<()> {
        let mut next = TokenId::try_from(self.len()).unwrap_or(TokenId::MAX);
        for token in tokens.iter().filter(|t| !t.content.is_empty()) {
            let mut token = token.clone();
            if token.plain_str {
                if self.added.id_of(&token.content).is_some() {
                    continue;
                }
                let special = special || self.special.contains(&token.content);
                token = SpecialToken::added(&token.content, !special, special);
            } else if special {
                token.special = true;
            }
            if self.added.has(&token) {
                continue;
            }
            let id = self.token_to_id(&token.content).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            if token.special && !self.special.contains(&token.content) {
                self.special.additional.push(token.clone());
            }
            self.added.insert(id, token);
        }
        self.rebuild_splitter()
    }

    /// 4.31: a token gets an id only if it is unknown *and* is not the unk token itself; special tokens are
    /// never split even when they have no id.
    fn add_to_slow_4_31(&mut self, tokens: &[SpecialToken], special: bool) {
        let mut next = TokenId::try_from(self.len()).unwrap_or(TokenId::MAX);
        for token in tokens {
            let is_unk = self.special.get(Role::Unk).is_some_and(|t| t.content == token.content);
            let is_new = !is_unk && self.resolves_to_unk(&token.content);
            if is_new {
                self.added.insert(next, SpecialToken::added(&token.content, false, special));
                next += 1;
            }
            if special || is_new {
                self.never_split.insert(token.content.clone());
            }
        }
    }

    /// The same for ordinary tokens or special ones one by one, as 4.31 does with those of a file: each call begins at
    /// `len`. What is looked for in texts is made once, behind the last one.
    pub(super) fn add_one_by_one_4_31(&mut self, contents: &[String]) -> Result<()> {
        let is_slow = matches!(self.engine, Engine::Slow(..)) && self.facts.can_add_tokens;
        for content in contents {
            let special = self.special.contains(content);
            let token = SpecialToken::from_str(content);
            match is_slow {
                true => self.add_to_slow_4_31(&[token], special),
                false => self.add_tokens(&[token], special)?,
            }
        }
        self.rebuild_splitter()
    }

    /// Whether a token's id is that of unk (or both have none).
    fn resolves_to_unk(&self, content: &str) -> bool {
        let unk = self.role_id(Role::Unk);
        self.token_to_id(content).or(unk) == unk
    }

    /// Makes the search for added tokens fit the tables again.
    pub(super) fn rebuild_splitter(&mut self) -> Result<()> {
        let tokens: BTreeMap<String, Neighbours> = match self.facts.release {
            Release::V4_31 => self.neighbours_4_31(),
            _ => self.added.iter().map(|(_, t)| (t.content.clone(), neighbours(t))).collect(),
        };
        if let Engine::Slow(_, splitter) = &mut self.engine {
            *splitter = Splitter::new(tokens)?;
        }
        Ok(())
    }

    /// 4.31 strips both sides of a token unless Python holds it as an `AddedToken` among the special ones.
    fn neighbours_4_31(&self) -> BTreeMap<String, Neighbours> {
        let all = self.special.all();
        let objects: HashMap<&str, &SpecialToken> =
            all.into_iter().filter(|t| !t.plain_str).map(|t| (t.content.as_str(), t)).collect();
        let around = |content: &String| match objects.get(content.as_str()) {
            Some(token) => Neighbours { single_word: false, ..neighbours(token) },
            None => Neighbours { lstrip: true, rstrip: true, single_word: false },
        };
        self.never_split.iter().map(|content| (content.clone(), around(content))).collect()
    }

    fn add_to_fast(&mut self, tokens: &[SpecialToken], special: bool) -> Result<()> {
        let Engine::Fast(core) = &mut self.engine else { return Ok(()) };
        // The library of 4.31 does not look for ordinary tokens that the model has already. Of a special one it takes the
        // new flags, but whether it is looked for in the normalized text was settled when it first became special.
        let is_old = self.facts.release == Release::V4_31;
        let ignored = |t: &&SpecialToken| is_old && !special && core.token_to_id(&t.content).is_some();
        let settled = |t: &SpecialToken| {
            let first = self.added.id_of(&t.content).and_then(|id| self.added.get(id));
            first.filter(|first| is_old && special && first.special).map(|first| first.normalized)
        };
        let converted = tokens.iter().filter(|t| !ignored(t)).map(|t| {
            let mut token = AddedToken::from(t.content.as_str(), special);
            if !t.plain_str {
                token = token
                    .lstrip(t.lstrip)
                    .rstrip(t.rstrip)
                    .single_word(t.single_word)
                    .normalized(t.normalized);
            }
            token.normalized = settled(t).unwrap_or(token.normalized);
            token.special(special || (t.special && !t.plain_str))
        });
        let converted: Vec<_> = converted.collect();
        let added = if special { core.add_special_tokens(converted) } else { core.add_tokens(converted) };
        added.map_err(|e| Error::Encode(e.to_string()))?;
        self.read_added_from_core();
        Ok(())
    }

    /// `add_tokens` of the library: ids go on from the highest, known tokens keep theirs, flags stay as they are.
    pub(super) fn add_tokens_with_flags(&mut self, tokens: &[SpecialToken]) -> Result<()> {
        if let Engine::Fast(core) = &mut self.engine {
            let tokens = tokens.iter().map(|t| {
                AddedToken::from(t.content.as_str(), t.special)
                    .lstrip(t.lstrip)
                    .rstrip(t.rstrip)
                    .single_word(t.single_word)
                    .normalized(t.normalized)
            });
            core.add_tokens(tokens.collect::<Vec<_>>()).map_err(|e| Error::Encode(e.to_string()))?;
        }
        self.read_added_from_core();
        Ok(())
    }

    /// Fast classes ask the pipeline for their table of added tokens.
    pub(super) fn read_added_from_core(&mut self) {
        let Engine::Fast(core) = &self.engine else { return };
        let mut added = AddedTokens::default();
        for (id, t) in core.get_added_tokens_decoder() {
            let token = SpecialToken {
                content: t.content,
                lstrip: t.lstrip,
                rstrip: t.rstrip,
                normalized: t.normalized,
                single_word: t.single_word,
                special: t.special,
                plain_str: false,
            };
            added.insert(id, token);
        }
        self.added = added;
    }
}

fn neighbours(token: &SpecialToken) -> Neighbours {
    Neighbours { lstrip: token.lstrip, rstrip: token.rstrip, single_word: token.single_word }
}
