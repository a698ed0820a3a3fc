//! [`Tokenizer`]: a loaded tokenizer with the behaviour of its Python class.
//!
//! Cloning is cheap (the model is shared), so an override works on a copy.

use std::sync::Arc;

use tokenizers::Model;

use super::class::{ClassFacts, Loader, Release, Side};
use super::core::{Core, encode_core, encode_ordinary};
use super::encoding::{Encoding, Piece, TokenId};
use super::files::FileSet;
use super::infilling::Infilling;
use super::slow::split::Splitter;
use super::slow::{SlowClass, SlowState};
use super::special::{AddedTokens, Role, SpecialToken, SpecialTokens};
use super::{added, byte_alphabet};
use crate::error::{Error, Result};

/// What does the work underneath.
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
        }
    }

    /// What does the work underneath.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The ids of a text; `add_special_tokens` puts bos and eos where the class does.
    ///
    /// Spans are byte ranges of `text`.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Encoding> {
        if let Some(parts) = self.around_fill(text)? {
            return self.encode_around_fill(parts, add_special_tokens);
        }
        match &self.engine {
            Engine::Fast(core) => encode_core(core, text, add_special_tokens),
            Engine::Slow(class, splitter) => {
                let state = SlowState { special: &self.special, added: &self.added, splitter };
                let tokens = class.tokenize(text, state)?;
                if !add_special_tokens {
                    return Ok(tokens);
                }
                let ends = class.adds_eos_once() && tokens.ids.last().copied() == self.role_id(Role::Eos);
                Ok(self.with_bos_and_eos(&tokens, text.len(), self.facts.adds_eos && !ends))
            }
        }
    }

    /// The ids of a text in which no added token is looked for (tiktoken's `encode_ordinary`, SentencePiece).
    pub fn encode_ordinary(&self, text: &str) -> Result<Encoding> {
        match &self.engine {
            Engine::Fast(core) => encode_ordinary(core, text),
            Engine::Slow(class, _) => {
                let (added, splitter) = (AddedTokens::default(), Splitter::default());
                class.tokenize(text, SlowState { special: &self.special, added: &added, splitter: &splitter })
            }
        }
    }

    /// Python's `offset_mapping` of a text: characters from and to, one pair a token.
    ///
    /// The library cuts white space off offsets after it has made characters of them, so a fast class is asked again.
    pub fn char_offsets(&self, text: &str, add_special_tokens: bool) -> Result<Vec<(usize, usize)>> {
        match &self.engine {
            Engine::Fast(core) => {
                if let Some(parts) = self.around_fill(text)? {
                    return self.char_offsets_around_fill(core, parts, add_special_tokens);
                }
                let encoded = core.encode_char_offsets(text, add_special_tokens);
                Ok(encoded.map_err(|e| Error::Encode(e.to_string()))?.get_offsets().to_vec())
            }
            Engine::Slow(..) => Ok(self.encode(text, add_special_tokens)?.char_offsets(text)),
        }
    }

    /// The ids of a text, cut so that they and the special tokens fit in `max_length`.
    pub fn encode_truncated(&self, text: &str, max_length: usize) -> Result<Encoding> {
        let whole = self.encode(text, true)?;
        let inner = self.encode(text, false)?;
        // Python makes room for eos even where the class leaves it out because the text ends with one.
        let around = match self.is_slow() {
            true => usize::from(self.facts.adds_bos) + usize::from(self.facts.adds_eos),
            false => whole.len().saturating_sub(inner.len()),
        };
        if inner.len() + around <= max_length {
            return Ok(whole);
        }
        let before = around.min(usize::from(self.facts.adds_bos));
        let keep = max_length.saturating_sub(around);
        let mut cut = whole.clone();
        cut.truncate(before);
        match self.facts.truncation_side {
            Side::Right => {
                let mut kept = inner;
                kept.truncate(keep);
                cut.extend_shifted(&kept, 0);
            }
            Side::Left => cut.extend_shifted(&inner.without_head(inner.len().saturating_sub(keep), 0), 0),
        }
        let once = matches!(&self.engine, Engine::Slow(class, _) if class.adds_eos_once());
        if once && cut.ids.last().copied() == self.role_id(Role::Eos) {
            return Ok(cut);
        }
        let after = whole.without_head(whole.len().saturating_sub(around - before), 0);
        cut.extend_shifted(&after, 0);
        Ok(cut)
    }

    /// True where the `tokenizers` library that comes with the release is 0.14 or newer, which newer LLaVA asks.
    pub fn joins_after_special(&self) -> bool {
        self.facts.release != Release::V4_31
    }

    /// `build_inputs_with_special_tokens` of the slow classes.
    pub(super) fn with_bos_and_eos(&self, tokens: &Encoding, end: usize, adds_eos: bool) -> Encoding {
        let mut all = Encoding::default();
        let [first, last] = self.facts.ends;
        if self.facts.adds_bos {
            all.push_optional(self.role_id(first), "None", 0..0);
        }
        all.extend_shifted(tokens, 0);
        if adds_eos {
            all.push_optional(self.role_id(last), "None", end..end);
        }
        all
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
    pub(super) fn resolve(&self, token: &str) -> Option<TokenId> {
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
                Some(added::fast_token_bytes(core, &token))
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
