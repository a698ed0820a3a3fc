//! [`Tokenizer`]: a loaded tokenizer with the behaviour of its Python class.
//!
//! Cloning is cheap (the model is shared), so an override works on a copy.

use std::sync::Arc;

use tokenizers::{Model, PostProcessorWrapper};

use super::byte_alphabet;
use super::cached_ids::RememberedWords;
use super::core::{Core, token_bytes};
use super::encoding::{Encoding, Piece, TokenId};
use super::facts::ClassFacts;
use super::files::FileSet;
use super::infilling::Infilling;
use super::release::{Loader, Release};
use super::slow::SlowClass;
use super::slow::split::Splitter;
use super::special::{AddedTokens, Role, SpecialToken, SpecialTokens};

/// What encodes and decodes.
#[derive(Debug, Clone)]
pub enum Engine {
    /// A `tokenizers` pipeline that finds its added tokens itself.
    Fast(Box<Core>),
    /// A pure-Python class over a model.
    Slow(Arc<dyn SlowClass>, Splitter),
}

/// A tokenizer as its Python class would behave.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// What the user asked for (`sample:phi-2`, a folder, a hub id).
    pub name: String,
    pub facts: ClassFacts,
    pub special: SpecialTokens,
    pub added: AddedTokens,
    /// Things the user should know about how this was loaded.
    pub notes: Vec<String>,
    pub(super) engine: Engine,
    /// Where it was read from; chat templates and processor settings lie there too.
    pub files: FileSet,
    /// Rows of the model's embedding, from config.json where one lies beside the tokenizer.
    pub embedding_rows: Option<usize>,
    /// Tokens that 4.31 never splits (`unique_no_split_tokens`), in no other release used.
    pub(super) never_split: std::collections::BTreeSet<String>,
    /// CodeLlama's tokens for filling a gap; `None` in every other class.
    pub(super) infilling: Option<Infilling>,
    /// Encodings of words, once it is set up.
    pub(super) remembered: RememberedWords,
}

impl Tokenizer {
    /// A tokenizer as its class begins: a model, facts and roles; nothing added yet.
    pub(super) fn new(facts: ClassFacts, special: SpecialTokens, engine: Engine) -> Self {
        Self {
            name: String::new(),
            facts,
            special,
            added: AddedTokens::default(),
            notes: Vec::new(),
            engine,
            files: FileSet::default(),
            embedding_rows: None,
            never_split: std::collections::BTreeSet::new(),
            infilling: None,
            remembered: RememberedWords::default(),
        }
    }

    /// Says that this tokenizer changes no more, so that [`Self::encode`] may remember words.
    pub fn remember_words(&self) {
        self.remembered.want();
    }

    /// What encodes and decodes.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Gives a fast class another post-processor; slow classes have none.
    pub(super) fn set_post_processor(&mut self, processor: Option<PostProcessorWrapper>) {
        if let Engine::Fast(core) = &mut self.engine {
            core.with_post_processor(processor);
        }
    }

    /// True where the `tokenizers` library that comes with the release is 0.14 or newer, which newer LLaVA asks.
    pub fn joins_after_special(&self) -> bool {
        self.facts.release != Release::V4_31
    }

    /// Number of tokens of the base vocabulary (`vocab_size`).
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::Fast(core) => core.get_vocab_size(false),
            Engine::Slow(class, _) => class.vocab_size(),
        }
    }

    /// `len(tokenizer)`: base vocabulary and added tokens, each content once.
    pub fn len(&self) -> usize {
        match &self.engine {
            Engine::Fast(core) => core.get_vocab_size(true),
            Engine::Slow(class, _) => {
                let new = self.added.iter().filter(|(_, t)| class.token_to_id(&t.content).is_none());
                class.vocab_size() + new.count()
            }
        }
    }

    /// True for a tokenizer without any token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a token by its vocabulary string; `None` where there is no such token.
    pub fn token_to_id(&self, token: &str) -> Option<TokenId> {
        match &self.engine {
            Engine::Fast(core) => core.token_to_id(token),
            Engine::Slow(class, _) => self.added.id_of(token).or_else(|| class.token_to_id(token)),
        }
    }

    /// The id of a role's token as Python's `unk_token_id` etc. give it: an unknown token falls back to unk.
    pub fn role_id(&self, role: Role) -> Option<TokenId> {
        self.resolve(&self.special.get(role)?.content)
    }

    /// `convert_tokens_to_ids`: the id of a token, that of unk for one that the class does not know.
    pub fn resolve(&self, token: &str) -> Option<TokenId> {
        let closed = matches!(&self.engine, Engine::Slow(..)) && !self.facts.can_add_tokens;
        self.token_to_id(token).or_else(|| {
            let unk = self.special.get(Role::Unk).filter(|_| !closed)?;
            self.token_to_id(&unk.content)
        })
    }

    /// The token at an id, as the class names it.
    pub fn piece(&self, id: TokenId) -> Option<Piece> {
        // The library of 5.x gives the normalized form of an added token.
        if let Some(token) = self.added.get(id)
            && self.facts.release != Release::V5
        {
            return Some(Piece::Text(token.content.clone()));
        }
        match &self.engine {
            Engine::Fast(core) => core.id_to_token(id).map(Piece::Text),
            Engine::Slow(class, _) => class.piece(id),
        }
    }

    /// The tokens of an encoding as the class names them (`convert_ids_to_tokens`).
    ///
    /// `None` where the id has no token.
    pub fn tokens(&self, encoding: &Encoding) -> Vec<Option<Piece>> {
        encoding.ids.iter().map(|id| self.piece(*id)).collect()
    }

    /// The bytes that a token adds to a text (`▁` and `Ġ` undone); `None` for an id without a token.
    pub fn token_bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        if let Some(token) = self.added.get(id) {
            return Some(token.content.clone().into_bytes());
        }
        match &self.engine {
            Engine::Slow(class, _) => class.bytes(id),
            Engine::Fast(core) => {
                let token = core.get_model().id_to_token(id)?;
                Some(token_bytes(core, &token))
            }
        }
    }

    /// True when `id` is an added token or has a role.
    pub fn is_special(&self, id: TokenId) -> bool {
        self.added.get(id).is_some_and(|t| t.special || self.special.contains(&t.content))
            || self.roles_of(id).next().is_some()
    }

    /// Every special token by id: the added ones that are special or have a role, and those of a closed list.
    pub fn special_surfaces(&self) -> Vec<(TokenId, String)> {
        let is_special = |token: &SpecialToken| token.special || self.special.contains(&token.content);
        let added = self.added.iter().filter(|(_, t)| is_special(t));
        let mut all: Vec<(TokenId, String)> = added.map(|(id, t)| (id, t.content.clone())).collect();
        if let Engine::Slow(class, _) = &self.engine {
            all.extend(class.closed_tokens().iter().map(|(content, id)| (*id, content.clone())));
        }
        all.sort();
        all.dedup();
        all
    }

    /// The roles whose token has this id.
    pub fn roles_of(&self, id: TokenId) -> impl Iterator<Item = Role> + '_ {
        Role::ALL.into_iter().filter(move |role| self.role_id(*role) == Some(id))
    }

    /// The whole vocabulary as (id, token string), in id order, for searching in it.
    pub fn vocabulary(&self) -> Vec<(TokenId, String)> {
        let top = TokenId::try_from(self.len().max(self.vocab_size())).unwrap_or(TokenId::MAX);
        let beyond = self.added.iter().map(|(id, _)| id).filter(|id| *id >= top);
        (0..top).chain(beyond.collect::<Vec<_>>()).filter_map(|id| Some((id, self.searchable(id)?))).collect()
    }

    /// A token as a person would look for it: its text, or its piece where the bytes are no text.
    fn searchable(&self, id: TokenId) -> Option<String> {
        let bytes = self.token_bytes(id)?;
        Some(String::from_utf8(bytes).unwrap_or_else(|e| byte_alphabet::encode(e.as_bytes())))
    }

    /// True for the slow family.
    pub fn is_slow(&self) -> bool {
        self.facts.loader == Loader::Slow
    }
}
