//! GPT-2, CodeGen (phi-2) and their kin: byte-level BPE from `vocab.json` and `merges.txt`.

use tokenizers::NormalizedString;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::tokenizer::normalizer::Range;
use tokenizers::{Model, models::bpe::BPE};

use super::{AddedTokenTables, SlowClass, WordCutter, tokenize_base};
use crate::error::Result;
use crate::python::is_python_space;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::core::{Core, CoreParts, encode_core};
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::special::SpecialTokens;
use crate::tokenizer::split_points::SplitPoints;
use crate::tokenizer::steps::set_qwen2;

/// When a text is encoded as if a space stood before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixSpace {
    Never,
    /// GPT-2 with `add_prefix_space`.
    Always,
    /// RoBERTa with `add_prefix_space`: not before white space, and not before nothing.
    UnlessSpace,
}

/// A byte-level BPE class.
#[derive(Debug)]
pub struct ByteLevelClass {
    core: Core,
    prefix_space: PrefixSpace,
    /// Qwen-2: the class normalises a whole text before it looks for added tokens.
    normalizes: bool,
}

impl ByteLevelClass {
    /// A class over this model.
    pub fn new(model: BPE, prefix_space: PrefixSpace) -> Result<Self> {
        let mut parts = CoreParts::bare(model);
        parts.pre_tokenizer = Some(ByteLevel::new(false, true, true).into());
        Ok(Self { core: parts.assemble()?.0, prefix_space, normalizes: false })
    }

    /// Qwen-2's class: NFC and its own split pattern.
    pub fn qwen2(model: BPE) -> Result<Self> {
        let mut parts = CoreParts::bare(model);
        set_qwen2(&mut parts, false)?;
        Ok(Self { core: parts.assemble()?.0, prefix_space: PrefixSpace::Never, normalizes: true })
    }
}

impl ByteLevelClass {
    /// Tokenizes the NFC form of a text; spans are carried back to the text itself.
    fn tokenize_normalized(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        let mut normalized = NormalizedString::from(text);
        normalized.nfc();
        let mut encoding = tokenize_base(self, normalized.get(), state)?;
        for span in &mut encoding.spans {
            let source = normalized.convert_offsets(Range::Normalized(span.clone()));
            *span = source.unwrap_or(0..0);
        }
        Ok(encoding)
    }
}

impl SlowClass for ByteLevelClass {
    fn tokenize(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        if self.normalizes {
            return self.tokenize_normalized(text, state);
        }
        let prefixed = match self.prefix_space {
            PrefixSpace::Never => false,
            PrefixSpace::Always => true,
            PrefixSpace::UnlessSpace => text.chars().next().is_some_and(|c| !is_python_space(c)),
        };
        if !prefixed {
            return tokenize_base(self, text, state);
        }
        let mut encoding = tokenize_base(self, &format!(" {text}"), state)?;
        for span in &mut encoding.spans {
            *span = span.start.saturating_sub(1)..span.end.saturating_sub(1);
        }
        Ok(encoding)
    }

    fn tokenize_segment(&self, text: &str, _: AddedTokenTables<'_>) -> Result<Encoding> {
        encode_core(&self.core, text, false)
    }

    fn decoded_separator(&self) -> &'static str {
        // Qwen-2 decodes with `spaces_between_special_tokens=False`.
        if self.normalizes { "" } else { " " }
    }

    fn cutter(&self) -> WordCutter<'_> {
        WordCutter::Pipeline(&self.core)
    }

    fn split_points(&self) -> std::result::Result<SplitPoints, String> {
        match self.prefix_space {
            PrefixSpace::Never => SplitPoints::of_core(&self.core),
            _ => Err("its class puts a space before texts".to_string()),
        }
    }

    fn vocab_size(&self) -> usize {
        self.core.get_model().get_vocab_size()
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        self.core.get_model().token_to_id(token)
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        self.core.get_model().id_to_token(id).map(Piece::Text)
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        let token = self.core.get_model().id_to_token(id)?;
        Some(byte_alphabet::decode(&token).unwrap_or_else(|| token.into_bytes()))
    }

    fn tokens_to_string(&self, tokens: &[String], _: &SpecialTokens) -> String {
        // A special token may hold characters outside the byte alphabet; Python raises there, we keep them.
        let bytes = |t: &String| byte_alphabet::decode(t).unwrap_or_else(|| t.clone().into_bytes());
        let bytes: Vec<u8> = tokens.iter().flat_map(bytes).collect();
        python_utf8_replace(&bytes)
    }
}

/// `bytes.decode("utf-8", errors="replace")`.
pub fn python_utf8_replace(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
