//! `LlamaTokenizer`: SentencePiece BPE, with the two ways of joining text after a special token.
//!
//! *Legacy*: every stretch between added tokens is encoded as if it began a text, so it gets a dummy space.
//! *Not legacy*: only the start of the whole text gets one. The two were implemented differently in
//! transformers 4.31 (strip the space of the first piece afterwards) and from 4.33 on (switch the dummy prefix
//! off in the model, and encode behind the unknown token), and the ids differ: `USER` after `</s>` is
//! `US`,`ER` in one and `USER` in the other.

use tokenizers::Model;

use super::aligned::AlignedText;
use super::byte_level::python_utf8_replace;
use super::{SlowClass, SlowState, tokenize_base};
use crate::error::Result;
use crate::tokenizer::core::{Core, CoreParts, encode_core};
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::formats::sentencepiece::{ModelProto, PieceKind};
use crate::tokenizer::special::Role;

/// SentencePiece's visible space.
pub const UNDERLINE: char = '▁';

/// How text after a special token is joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// `legacy=True`.
    Legacy,
    /// `legacy=False` in transformers 4.31.
    StripFirstPiece,
    /// `legacy=False` from transformers 4.33 on.
    BehindUnknown,
}

/// The Llama class over a SentencePiece model.
#[derive(Debug)]
pub struct SentencePieceClass {
    core: Core,
    kinds: Vec<PieceKind>,
    joining: Joining,
    add_dummy_prefix: bool,
}

impl SentencePieceClass {
    /// A class over a model file and the BPE made of it.
    pub fn new(model: &ModelProto, parts: CoreParts, joining: Joining) -> Result<Self> {
        let dummy = model.normalizer_spec.as_ref().is_none_or(|n| n.add_dummy_prefix());
        Ok(Self {
            core: parts.assemble()?.0,
            kinds: model.entries().map(|(.., kind)| kind).collect(),
            joining,
            add_dummy_prefix: dummy && joining != Joining::BehindUnknown,
        })
    }

    /// SentencePiece's own encoding of a text.
    fn encode_text(&self, text: &str) -> Result<Encoding> {
        let aligned = self.normalize(text);
        let mut encoding = encode_core(&self.core, aligned.as_str(), false)?;
        for span in &mut encoding.spans {
            *span = aligned.source_of(span.clone());
        }
        Ok(encoding)
    }

    /// Spaces become visible; a dummy one goes in front where the model asks for it.
    fn normalize(&self, text: &str) -> AlignedText {
        let mut aligned = AlignedText::default();
        if self.add_dummy_prefix && !text.is_empty() {
            aligned.push(UNDERLINE, 0..0);
        }
        for (at, c) in text.char_indices() {
            aligned.push(if c == ' ' { UNDERLINE } else { c }, at..at + c.len_utf8());
        }
        aligned
    }

    /// 4.31: a stretch that does not begin the text loses the dummy space of its first piece.
    fn strip_first_piece(&self, text: &str) -> Result<Encoding> {
        if let Some(rest) = text.strip_prefix(UNDERLINE) {
            let mut encoding = Encoding::default();
            encoding.extend_shifted(&self.encode_text(rest)?, UNDERLINE.len_utf8());
            return Ok(encoding);
        }
        let mut encoding = self.encode_text(text)?;
        if text.starts_with(' ') {
            return Ok(encoding);
        }
        let first = encoding.ids.first().and_then(|id| self.core.get_model().id_to_token(*id));
        if let Some(rest) = first.as_deref().and_then(|t| t.strip_prefix(UNDERLINE)) {
            if rest.is_empty() {
                encoding.remove_first();
            } else {
                let unk = self.kinds.iter().position(|k| *k == PieceKind::Unknown).unwrap_or(0);
                let id = self.token_to_id(rest).unwrap_or(TokenId::try_from(unk).unwrap_or(0));
                if let Some(slot) = encoding.ids.first_mut() {
                    *slot = id;
                }
                if self.token_to_id(rest).is_none() {
                    encoding.surfaces.insert(0, (0, rest.to_string()));
                }
            }
        }
        Ok(encoding)
    }

    /// From 4.33: a stretch that begins with a space is encoded behind the unknown token's text.
    fn behind_unknown(&self, text: &str, state: SlowState<'_>) -> Result<Encoding> {
        if !text.starts_with([UNDERLINE, ' ']) {
            return self.encode_text(text);
        }
        let unk = state.special.get(Role::Unk).map_or("", |t| t.content.as_str());
        let skip = self.encode_text(unk)?.len();
        let whole = self.encode_text(&format!("{unk}{text}"))?;
        Ok(whole.without_head(skip, unk.len()))
    }
}

impl SlowClass for SentencePieceClass {
    fn tokenize(&self, text: &str, state: SlowState<'_>) -> Result<Encoding> {
        if self.joining == Joining::Legacy || (text.is_empty() && self.joining == Joining::BehindUnknown) {
            return tokenize_base(self, text, state);
        }
        let mut marked = AlignedText::default();
        marked.push(UNDERLINE, 0..0);
        for (at, c) in text.char_indices() {
            marked.push(if c == UNDERLINE { ' ' } else { c }, at..at + c.len_utf8());
        }
        let mut encoding = tokenize_base(self, marked.as_str(), state)?;
        let first_is_bare =
            encoding.ids.first().and_then(|id| self.piece(*id)) == Some(Piece::Text("▁".into()));
        let second = encoding.ids.get(1).and_then(|id| self.piece(*id));
        let second_is_special = matches!(second, Some(Piece::Text(t)) if state.special.contains(&t));
        let added_second = encoding.ids.get(1).and_then(|id| state.added.get(*id));
        let second_is_special =
            second_is_special || added_second.is_some_and(|t| state.special.contains(&t.content));
        if self.joining == Joining::BehindUnknown && first_is_bare && second_is_special {
            encoding.remove_first();
        }
        for span in &mut encoding.spans {
            *span = marked.source_of(span.clone());
        }
        Ok(encoding)
    }

    fn tokenize_segment(&self, text: &str, state: SlowState<'_>) -> Result<Encoding> {
        match self.joining {
            Joining::Legacy => self.encode_text(text),
            Joining::StripFirstPiece => self.strip_first_piece(text),
            Joining::BehindUnknown => self.behind_unknown(text, state),
        }
    }

    fn vocab_size(&self) -> usize {
        self.kinds.len()
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        self.core.get_model().token_to_id(token)
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        self.core.get_model().id_to_token(id).map(Piece::Text)
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        let token = self.core.get_model().id_to_token(id)?;
        match self.kinds.get(id as usize) {
            Some(PieceKind::Byte) => byte_piece(&token).map(|b| vec![b]),
            _ => Some(token.replace(UNDERLINE, " ").into_bytes()),
        }
    }

    fn join(&self, ids: &[TokenId]) -> String {
        let bytes: Vec<u8> = ids.iter().filter_map(|id| self.bytes(*id)).flatten().collect();
        let text = python_utf8_replace(&bytes);
        // The first piece's space is the dummy prefix.
        text.strip_prefix(' ').map_or(text.clone(), String::from)
    }
}

/// The byte of a piece like `<0x0A>`.
pub fn byte_piece(piece: &str) -> Option<u8> {
    let hex = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}
