//! The slow Python classes: pure-Python tokenizers that cut a text at added tokens and hand the rest to a model.
//!
//! [`SlowClass`] is what a class adds to the base class; one file a family. The base behaviour (cutting at
//! added tokens) is [`tokenize_base`].

mod aligned;
pub mod bert;
pub mod byte_level;
mod merging;
pub mod processor;
pub mod sentencepiece;
pub mod split;
pub mod tiktoken;
mod viterbi;
pub mod xlm_roberta;

use super::core::Core;
use super::encoding::{Encoding, Piece, TokenId};
use super::special::{AddedTokens, SpecialTokens};
use super::split_points::SplitPoints;
use crate::error::Result;
use split::Splitter;

/// The tables of the base class that a text is tokenized with.
#[derive(Debug, Clone, Copy)]
pub struct AddedTokenTables<'a> {
    pub special: &'a SpecialTokens,
    pub added: &'a AddedTokens,
    pub splitter: &'a Splitter,
}

/// What a slow class cuts text with.
#[derive(Debug, Clone, Copy)]
pub enum WordCutter<'a> {
    /// A `tokenizers` pipeline.
    Pipeline(&'a Core),
    /// The SentencePiece library.
    SentencePiece(&'a processor::Processor),
}

/// One family of slow Python classes.
pub trait SlowClass: Send + Sync + std::fmt::Debug {
    /// `tokenize`: a whole text, with added tokens found, without bos and eos.
    fn tokenize(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        tokenize_base(self, text, state)
    }

    /// `_tokenize`: a text in which no added token is looked for.
    fn tokenize_segment(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding>;

    /// Number of tokens of the base vocabulary (Python's `vocab_size`).
    fn vocab_size(&self) -> usize;

    /// The id of a token of the base vocabulary; `None` where there is no such token.
    fn token_to_id(&self, token: &str) -> Option<TokenId>;

    /// The token at an id of the base vocabulary.
    fn piece(&self, id: TokenId) -> Option<Piece>;

    /// The bytes that a token of the base vocabulary stands for in a text.
    fn bytes(&self, id: TokenId) -> Option<Vec<u8>>;

    /// `convert_tokens_to_string`: the text of a run of tokens, as vocabulary strings.
    fn tokens_to_string(&self, tokens: &[String], special: &SpecialTokens) -> String;

    /// What cuts a stretch between added tokens, for explanations.
    fn cutter(&self) -> WordCutter<'_>;

    /// Where texts may be cut without a change of ids, or why that is not known.
    ///
    /// # Errors
    /// The reason.
    fn split_points(&self) -> std::result::Result<SplitPoints, String> {
        Err("it is not known where texts of its class may be cut".to_string())
    }

    /// Special tokens of a closed list, which stand in no table of added tokens.
    fn closed_tokens(&self) -> &[(String, TokenId)] {
        &[]
    }

    /// True for classes that do not add eos to a text that already ends with it.
    fn adds_eos_once(&self) -> bool {
        false
    }

    /// What stands between an added token and its neighbours in a decoded text.
    fn decoded_separator(&self) -> &'static str {
        " "
    }

    /// Classes that replace the base class's `_decode` altogether answer here.
    fn decode_whole(&self, _ids: &[TokenId], _skip_special_tokens: bool) -> Option<String> {
        None
    }
}

/// `PreTrainedTokenizer.tokenize`: cut at added tokens, give the rest to the class.
pub fn tokenize_base<C: SlowClass + ?Sized>(
    class: &C,
    text: &str,
    state: AddedTokenTables<'_>,
) -> Result<Encoding> {
    let mut all = Encoding::default();
    for part in state.splitter.split(text) {
        match part.token {
            Some(token) => {
                let content = state.splitter.token(token);
                let id = state.added.id_of(content).or_else(|| class.token_to_id(content));
                all.push_optional(id, content, part.range);
            }
            None if part.gone.is_empty() => {
                let segment = text.get(part.range.clone()).unwrap_or("");
                all.extend_shifted(&class.tokenize_segment(segment, state)?, part.range.start);
            }
            None => {
                let left = part.left_of(text);
                let mut encoding = class.tokenize_segment(left.as_str(), state)?;
                for span in &mut encoding.spans {
                    *span = left.source_of(span.clone());
                }
                all.extend_shifted(&encoding, 0);
            }
        }
    }
    Ok(all)
}
