//! What the mask strategies need from a tokenizer, and nothing more.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::tokenizer::{Piece, Role, TokenId, Tokenizer};

/// The ids of one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    pub ids: Vec<TokenId>,
    /// For each token `(start, end)` in code points of the text; equal for tokens that stand for no text.
    pub offsets: Vec<(usize, usize)>,
    /// The same in bytes of the text.
    pub spans: Vec<Range<usize>>,
}

impl Encoded {
    /// `char_to_token`: the first token whose offsets cover the character.
    pub fn char_to_token(&self, position: usize) -> Option<usize> {
        self.offsets.iter().position(|(start, end)| (*start..*end).contains(&position))
    }
}

/// A tokenizer as the trainers use it.
pub trait Encoder: Sync {
    /// `tokenizer(text, add_special_tokens=…)`.
    fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Encoded>;

    /// False for the slow classes, which cannot tell where in the text a token is.
    fn has_offsets(&self) -> bool {
        true
    }

    /// `tokenizer.decode(ids)`: special tokens kept, spaces as they come.
    fn decode(&self, ids: &[TokenId]) -> Result<String>;

    /// `convert_tokens_to_ids` of one token; `None` when the vocabulary has no such token.
    fn token_to_id(&self, token: &str) -> Option<TokenId>;

    /// The token of an id, as the vocabulary spells it.
    fn id_to_token(&self, id: TokenId) -> Option<String>;

    /// The text of an added token (`added_tokens_decoder`); `None` for ordinary tokens.
    fn added_token(&self, id: TokenId) -> Option<String>;

    /// True for added tokens flagged special, and those with a role.
    fn is_special(&self, id: TokenId) -> bool;

    /// `tokenizer.bos_token_id`.
    fn bos_id(&self) -> Option<TokenId>;

    /// `tokenizer.eos_token_id`.
    fn eos_id(&self) -> Option<TokenId>;

    /// `tokenizer.pad_token_id`.
    fn pad_id(&self) -> Option<TokenId>;

    /// True where `tokenizer(text)` begins with bos.
    fn adds_bos(&self) -> bool {
        self.bos_id().is_some()
            && self.encode("x", true).is_ok_and(|x| x.ids.first().copied() == self.bos_id())
    }

    /// Ids of `tokenizer("…", add_special_tokens=False)`.
    fn ids(&self, text: &str) -> Result<Vec<TokenId>> {
        Ok(self.encode(text, false)?.ids)
    }

    /// Ids of a text in which no added token is looked for, as tiktoken's `encode_ordinary` gives them.
    fn ordinary_ids(&self, text: &str) -> Result<Vec<TokenId>>;
}

impl Encoder for Tokenizer {
    fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Encoded> {
        let encoding = Tokenizer::encode(self, text, add_special_tokens)?;
        if !encoding.without_id.is_empty() {
            let reason = format!("{} has a token without an id in it, and no unk token", self.facts.name);
            return Err(Error::Encode(reason));
        }
        Ok(Encoded { offsets: encoding.char_offsets(text), ids: encoding.ids, spans: encoding.spans })
    }

    fn ordinary_ids(&self, text: &str) -> Result<Vec<TokenId>> {
        Ok(self.encode_ordinary(text)?.ids)
    }

    fn has_offsets(&self) -> bool {
        !self.is_slow()
    }

    fn decode(&self, ids: &[TokenId]) -> Result<String> {
        Tokenizer::decode(self, ids, false)
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        Tokenizer::token_to_id(self, token)
    }

    fn id_to_token(&self, id: TokenId) -> Option<String> {
        match self.piece(id)? {
            Piece::Text(text) => Some(text),
            Piece::Bytes(bytes) => String::from_utf8(bytes).ok(),
        }
    }

    fn added_token(&self, id: TokenId) -> Option<String> {
        self.added.get(id).map(|token| token.content.clone())
    }

    fn is_special(&self, id: TokenId) -> bool {
        Tokenizer::is_special(self, id)
    }

    fn bos_id(&self) -> Option<TokenId> {
        self.role_id(Role::Bos)
    }

    fn adds_bos(&self) -> bool {
        self.ids_around_text()
            .is_ok_and(|around| around.before.first().is_some_and(|id| self.bos_id() == Some(*id)))
    }

    fn eos_id(&self) -> Option<TokenId> {
        self.role_id(Role::Eos)
    }

    fn pad_id(&self) -> Option<TokenId> {
        self.role_id(Role::Pad)
    }
}
