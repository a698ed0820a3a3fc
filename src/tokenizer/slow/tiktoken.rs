//! Qwen-1's `QWenTokenizer` and StableLM-2's `Arcade100kTokenizer`: tiktoken ranks and a closed list of special tokens.
//!
//! Both classes come from code in their repositories. That code is never run: what it does was measured, and
//! is written down here. A repository whose class has one of these names gets this behaviour.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::{AddedToken, Model};

use super::byte_level::python_utf8_replace;
use super::{Cutter, SlowClass, SlowState};
use crate::error::{Error, Result};
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::cached_ids::SplitPoints;
use crate::tokenizer::core::{Core, CoreParts, encode_core};
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::special::SpecialTokens;

/// Which of the two classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TiktokenClassKind {
    Qwen,
    Arcade100k,
}

impl TiktokenClassKind {
    /// The kind for a Python class name.
    pub fn from_class(name: &str) -> Option<Self> {
        match name {
            "QWenTokenizer" => Some(Self::Qwen),
            "Arcade100kTokenizer" => Some(Self::Arcade100k),
            _ => None,
        }
    }

    /// The special tokens with their ids. Ids of Qwen follow the ranks; those of StableLM start at 100257 and
    /// leave 100256 empty.
    fn special_tokens(self, ranks: usize) -> Vec<(String, TokenId)> {
        let names: Vec<String> = match self {
            Self::Qwen => ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
                .into_iter()
                .map(String::from)
                .chain((0..205).map(|i| format!("<|extra_{i}|>")))
                .collect(),
            Self::Arcade100k => ARCADE_SPECIAL_TOKENS.iter().map(|s| s.to_string()).collect(),
        };
        let start = match self {
            Self::Qwen => TokenId::try_from(ranks).unwrap_or(TokenId::MAX),
            Self::Arcade100k => 100_257,
        };
        names.into_iter().zip(start..).collect()
    }
}

/// StableLM-2's special tokens in id order (the customization guide prints the same list).
const ARCADE_SPECIAL_TOKENS: [&str; 32] = [
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<gh_stars>",
    "<filename>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
    "<|endofprompt|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|pause|>",
    "<|reg0|>",
    "<|reg1|>",
    "<|reg2|>",
    "<|reg3|>",
    "<|reg4|>",
    "<|reg5|>",
    "<|reg6|>",
    "<|reg7|>",
    "<|extra0|>",
];

/// A tiktoken-based class.
#[derive(Debug)]
pub struct TiktokenClass {
    core: Core,
    special: Vec<(String, TokenId)>,
    vocab_size: usize,
}

impl TiktokenClass {
    /// A class over these parts (see [`crate::tokenizer::formats::tiktoken::build`]).
    pub fn new(kind: TiktokenClassKind, mut parts: CoreParts) -> Result<Self> {
        parts.normalizer = Some(NFC.into());
        let (mut core, _) = parts.assemble()?;
        let ranks = core.get_model().get_vocab_size();
        let special = kind.special_tokens(ranks);
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
    fn tokenize(&self, text: &str, state: SlowState<'_>) -> Result<Encoding> {
        // These classes replace the base class's cutting at added tokens with tiktoken's own.
        self.tokenize_segment(text, state)
    }

    fn tokenize_segment(&self, text: &str, _: SlowState<'_>) -> Result<Encoding> {
        let mut encoding = encode_core(&self.core, text, false)?;
        for id in &mut encoding.ids {
            *id = self.outer_id(*id);
        }
        Ok(encoding)
    }

    fn closed_tokens(&self) -> &[(String, TokenId)] {
        &self.special
    }

    fn cutter(&self) -> Cutter<'_> {
        Cutter::Pipeline(&self.core)
    }

    fn joints(&self) -> std::result::Result<SplitPoints, String> {
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
