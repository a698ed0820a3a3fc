//! `XLMRobertaTokenizer`: SentencePiece pieces under fairseq's ids.
//!
//! fairseq puts four tokens of its own first, where the model has three, so every piece moves up by one; `<mask>` comes
//! last.

use super::processor::{Processor, UNDERLINE};
use super::{AddedTokenTables, SlowClass, WordCutter};
use crate::error::Result;
use crate::python::is_python_space;
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::special::SpecialTokens;

/// fairseq's own tokens; their ids are their places.
const FAIRSEQ: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const UNK: TokenId = 3;
/// By how much the ids of pieces are moved.
const OFFSET: TokenId = 1;

/// The class over a model file.
#[derive(Debug)]
pub struct XlmRobertaClass {
    processor: Processor,
}

impl XlmRobertaClass {
    /// A class over a model file.
    pub fn new(processor: Processor) -> Self {
        Self { processor }
    }

    fn mask_id(&self) -> TokenId {
        TokenId::try_from(self.processor.piece_count()).unwrap_or(TokenId::MAX - OFFSET) + OFFSET
    }

    /// The id of a piece of the model; its id 0 reads as unknown.
    fn moved(id: TokenId) -> TokenId {
        if id == 0 { UNK } else { id.saturating_add(OFFSET) }
    }
}

impl SlowClass for XlmRobertaClass {
    fn tokenize_segment(&self, text: &str, _: AddedTokenTables<'_>) -> Result<Encoding> {
        let mut encoding = self.processor.encode(text);
        for id in &mut encoding.ids {
            *id = Self::moved(*id);
        }
        // A piece that reads like one of fairseq's tokens is that token.
        for (at, surface) in &encoding.surfaces {
            let own = FAIRSEQ.into_iter().zip(0..).find(|(token, _)| token == surface);
            if let (Some((_, own)), Some(slot)) = (own, encoding.ids.get_mut(*at)) {
                *slot = own;
            }
        }
        Ok(encoding)
    }

    fn vocab_size(&self) -> usize {
        self.processor.piece_count() + OFFSET as usize + 1
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        if let Some((_, id)) = FAIRSEQ.into_iter().zip(0..).find(|(t, _)| *t == token) {
            return Some(id);
        }
        match token {
            "<mask>" => Some(self.mask_id()),
            _ => self.processor.id_of(token).filter(|id| *id != 0).map(Self::moved),
        }
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        let own = FAIRSEQ.get(id as usize).copied();
        let text = match own {
            Some(token) => token,
            None if id == self.mask_id() => "<mask>",
            None => self.processor.piece(id.checked_sub(OFFSET)?)?.0,
        };
        Some(Piece::Text(text.to_string()))
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        match self.piece(id)? {
            Piece::Text(text) => Some(text.replace(UNDERLINE, " ").into_bytes()),
            Piece::Bytes(bytes) => Some(bytes),
        }
    }

    fn tokens_to_string(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.concat().replace(UNDERLINE, " ").trim_matches(is_python_space).to_string()
    }

    fn cutter(&self) -> WordCutter<'_> {
        WordCutter::SentencePiece(&self.processor)
    }
}
