//! tiktoken ranks with a closed list of special tokens, as the classes of Qwen 1 and StableLM 2 have them.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::{AddedToken, Model};

use super::byte_level::python_utf8_replace;
use super::{AddedTokenTables, SlowClass, WordCutter};
use crate::error::{Error, Result};
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::core::{Core, encode_core};
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tiktoken;
use crate::tokenizer::special::SpecialTokens;
use crate::tokenizer::split_points::SplitPoints;

/// A tiktoken-based class.
#[derive(Debug)]
pub struct TiktokenClass {
    core: Core,
    special: Vec<(String, TokenId)>,
    vocab_size: usize,
}

impl TiktokenClass {
    /// A class over the rank file of a set, with the contents of its special tokens in id order. `first_id` gives the id
    /// of the first one, for a number of ranks.
    ///
    /// # Errors
    /// A broken rank file, and one with so many ranks that they reach into the special tokens.
    pub fn open(files: &FileSet, special: Vec<String>, first_id: fn(usize) -> TokenId) -> Result<Self> {
        let file = files.find_suffix(".tiktoken").unwrap_or("*.tiktoken");
        let path = files.path_of(file);
        let ranks = tiktoken::read_ranks(&files.require(file)?, &path)?;
        let mut parts = tiktoken::build(&ranks, tiktoken::DIGIT_BY_DIGIT_PATTERN, &path)?;
        parts.normalizer = Some(NFC.into());
        let (mut core, _) = parts.assemble()?;
        let ranks = core.get_model().get_vocab_size();
        let special: Vec<(String, TokenId)> = special.into_iter().zip(first_id(ranks)..).collect();
        if let Some((_, id)) = special.iter().find(|(_, id)| core.get_model().id_to_token(*id).is_some()) {
            let reason = format!("its {ranks} ranks reach into the special tokens (id {id} is taken twice)");
            return Err(Error::Usage(format!("this rank file is not that of the class: {reason}")));
        }
        // `normalized`: the class normalises the whole text before it looks for special tokens.
        let tokens = special.iter().map(|(t, _)| AddedToken::from(t.as_str(), true).normalized(true));
        core.add_special_tokens(tokens).map_err(|e| Error::Encode(e.to_string()))?;
        let vocab_size = special.last().map_or(ranks, |(_, id)| *id as usize + 1);
        Ok(Self { core, special, vocab_size })
    }

    /// Undoes the numbering of the inner pipeline, which gives added tokens the next free ids.
    fn outer_id(&self, inner: TokenId) -> TokenId {
        if self.core.get_model().id_to_token(inner).is_some() {
            return inner;
        }
        let token = self.core.id_to_token(inner);
        self.special.iter().find(|(t, _)| Some(t) == token.as_ref()).map_or(inner, |(_, id)| *id)
    }
}

impl SlowClass for TiktokenClass {
    fn tokenize(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        // These classes replace the base class's cutting at added tokens with tiktoken's own.
        self.tokenize_segment(text, state)
    }

    fn tokenize_segment(&self, text: &str, _: AddedTokenTables<'_>) -> Result<Encoding> {
        let mut encoding = encode_core(&self.core, text, false)?;
        for id in &mut encoding.ids {
            *id = self.outer_id(*id);
        }
        Ok(encoding)
    }

    fn closed_tokens(&self) -> &[(String, TokenId)] {
        &self.special
    }

    fn cutter(&self) -> WordCutter<'_> {
        WordCutter::Pipeline(&self.core)
    }

    fn split_points(&self) -> std::result::Result<SplitPoints, String> {
        SplitPoints::of_core(&self.core)
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        let special = self.special.iter().find(|(t, _)| t == token).map(|(_, id)| *id);
        special.or_else(|| self.core.get_model().token_to_id(&byte_alphabet::encode(token.as_bytes())))
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        if let Some((token, _)) = self.special.iter().find(|(_, i)| *i == id) {
            return Some(Piece::Text(token.clone()));
        }
        self.bytes(id).map(Piece::Bytes)
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        if let Some((token, _)) = self.special.iter().find(|(_, i)| *i == id) {
            return Some(token.clone().into_bytes());
        }
        byte_alphabet::decode(&self.core.get_model().id_to_token(id)?)
    }

    fn tokens_to_string(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.concat()
    }

    fn decode_whole(&self, ids: &[TokenId], skip_special_tokens: bool) -> Option<String> {
        // "Special" to these classes is every id from the first special token on.
        let first = self.special.first().map_or(TokenId::MAX, |(_, id)| *id);
        let kept = ids.iter().filter(|id| !skip_special_tokens || **id < first);
        let bytes: Vec<u8> = kept.filter_map(|id| self.bytes(*id)).flatten().collect();
        Some(python_utf8_replace(&bytes))
    }
}
