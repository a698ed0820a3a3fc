//! `LlamaTokenizer` and `T5Tokenizer`: SentencePiece, with the two ways of joining text after a special token.
//!
//! *Legacy*: every stretch between added tokens is encoded as if it began a text, so it gets a dummy space.
//! *Not legacy*: only the start of the whole text gets one. The two were implemented differently in
//! transformers 4.31 (strip the space of the first piece afterwards) and from 4.33 on (switch the dummy prefix
//! off in the model, and encode behind the unknown token), and the ids differ: `USER` after `</s>` is
//! `US`,`ER` in one and `USER` in the other.

use super::aligned::AlignedText;
use super::processor::{Processor, UNDERLINE};
use super::{AddedTokenTables, SlowClass, WordCutter, tokenize_base};
use crate::error::Result;
use crate::python::is_python_space;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::formats::sentencepiece::PieceKind;
use crate::tokenizer::release::Release;
use crate::tokenizer::special::{Role, SpecialTokens};
use crate::tokenizer::split_points::SplitPoints;

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

impl Joining {
    /// The way that a release joins for a value of `legacy`.
    pub fn of(legacy: bool, release: Release) -> Self {
        match (legacy, release) {
            (true, _) => Self::Legacy,
            (false, Release::V4_31) => Self::StripFirstPiece,
            (false, _) => Self::BehindUnknown,
        }
    }
}

/// The classes that share this behaviour; they differ in how they put texts back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentencePieceFlavor {
    Llama,
    T5,
}

/// A class over a SentencePiece model.
#[derive(Debug)]
pub struct SentencePieceClass {
    processor: Processor,
    joining: Joining,
    flavor: SentencePieceFlavor,
    release: Release,
    /// T5 in 4.31 counts its sentinels as part of the base vocabulary; 0 elsewhere.
    sentinels: usize,
}

impl SentencePieceClass {
    /// A class over a model file.
    pub fn new(
        mut processor: Processor,
        joining: Joining,
        flavor: SentencePieceFlavor,
        release: Release,
    ) -> Self {
        processor.add_dummy_prefix &= joining != Joining::BehindUnknown;
        Self { processor, joining, flavor, release, sentinels: 0 }
    }

    /// With so many `<extra_id_N>` behind the model's pieces, the last one first.
    pub fn with_sentinels(mut self, sentinels: usize) -> Self {
        self.sentinels = sentinels;
        self
    }

    /// The number of the sentinel at an id, and back: both count from the end of the vocabulary.
    fn mirrored(&self, number: usize) -> Option<usize> {
        self.vocab_size().checked_sub(number)?.checked_sub(1)
    }

    /// SentencePiece's own encoding of a text.
    fn encode_text(&self, text: &str) -> Encoding {
        self.processor.encode(text)
    }

    /// The token at a position as Python holds it: what an unknown piece stands for, else the piece.
    fn token_at(&self, encoding: &Encoding, index: usize, state: AddedTokenTables<'_>) -> Option<String> {
        let surface = encoding.surfaces.iter().find(|(at, _)| *at == index).map(|(_, s)| s.clone());
        let id = *encoding.ids.get(index)?;
        let added = || state.added.get(id).map(|t| t.content.clone());
        surface.or_else(added).or_else(|| match self.piece(id) {
            Some(Piece::Text(text)) => Some(text),
            _ => None,
        })
    }

    /// 4.31: a stretch that does not begin the text loses the dummy space of its first piece.
    fn strip_first_piece(&self, text: &str) -> Encoding {
        if let Some(rest) = text.strip_prefix(UNDERLINE) {
            let mut encoding = Encoding::default();
            encoding.extend_shifted(&self.encode_text(rest), UNDERLINE.len_utf8());
            return encoding;
        }
        let mut encoding = self.encode_text(text);
        if text.starts_with(' ') {
            return encoding;
        }
        let first = encoding.ids.first().and_then(|id| self.processor.piece(*id)).map(|(t, _)| t.to_string());
        if let Some(rest) = first.as_deref().and_then(|t| t.strip_prefix(UNDERLINE)) {
            if rest.is_empty() {
                encoding.remove_first();
            } else {
                let id = self.token_to_id(rest).unwrap_or(self.processor.unk_id());
                if let Some(slot) = encoding.ids.first_mut() {
                    *slot = id;
                }
                if self.token_to_id(rest).is_none() {
                    encoding.surfaces.insert(0, (0, rest.to_string()));
                }
            }
        }
        encoding
    }

    /// From 4.33: a stretch that begins with a space is encoded behind the unknown token's text.
    fn behind_unknown(&self, text: &str, state: AddedTokenTables<'_>) -> Encoding {
        if !text.starts_with([UNDERLINE, ' ']) {
            return self.encode_text(text);
        }
        let unk = state.special.get(Role::Unk).map_or("", |t| t.content.as_str());
        let skip = self.encode_text(unk).len();
        let whole = self.encode_text(&format!("{unk}{text}"));
        whole.without_head(skip, unk.len())
    }
}

impl SlowClass for SentencePieceClass {
    fn tokenize(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        if self.joining == Joining::Legacy || (text.is_empty() && self.joining == Joining::BehindUnknown) {
            return tokenize_base(self, text, state);
        }
        let mut encoding = behind_underline(text, |text| tokenize_base(self, text, state))?;
        let first_is_bare =
            encoding.ids.first().and_then(|id| self.piece(*id)) == Some(Piece::Text("▁".into()));
        let second = self.token_at(&encoding, 1, state);
        let second_is_special = second.is_some_and(|t| state.special.contains(&t));
        if self.joining == Joining::BehindUnknown && first_is_bare && second_is_special {
            encoding.remove_first();
        }
        Ok(encoding)
    }

    fn tokenize_segment(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        Ok(match self.joining {
            Joining::Legacy => self.encode_text(text),
            Joining::StripFirstPiece => self.strip_first_piece(text),
            Joining::BehindUnknown => self.behind_unknown(text, state),
        })
    }

    fn cutter(&self) -> WordCutter<'_> {
        WordCutter::SentencePiece(&self.processor)
    }

    fn split_points(&self) -> std::result::Result<SplitPoints, String> {
        match self.joining {
            Joining::Legacy => self.processor.split_points(),
            _ => Err("its class (legacy=False) encodes the beginning of a text in another way".to_string()),
        }
    }

    fn vocab_size(&self) -> usize {
        self.processor.piece_count() + self.sentinels
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        let number = token.strip_prefix("<extra_id_").and_then(|t| t.strip_suffix('>')?.parse().ok());
        match number.filter(|n| *n < self.sentinels) {
            Some(number) => TokenId::try_from(self.mirrored(number)?).ok(),
            None => self.processor.id_of(token),
        }
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        let sentinel = self.mirrored(id as usize).filter(|n| *n < self.sentinels);
        match sentinel {
            Some(number) => Some(Piece::Text(format!("<extra_id_{number}>"))),
            None => self.processor.piece(id).map(|(t, _)| Piece::Text(t.to_string())),
        }
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        let (token, kind) = self.processor.piece(id)?;
        match kind {
            PieceKind::Byte => byte_alphabet::byte_piece(token).map(|b| vec![b]),
            _ => Some(token.replace(UNDERLINE, " ").into_bytes()),
        }
    }

    fn adds_eos_once(&self) -> bool {
        self.flavor == SentencePieceFlavor::T5
    }

    fn tokens_to_string(&self, tokens: &[String], special: &SpecialTokens) -> String {
        let is_t5 = self.flavor == SentencePieceFlavor::T5;
        let mut text = String::new();
        let mut run: Vec<&str> = Vec::new();
        let mut previous_is_special = false;
        for (i, token) in tokens.iter().enumerate() {
            // From 4.33 on the classes take the dummy space off by themselves.
            let token = match (i == 0 && self.release != Release::V4_31, is_t5) {
                (true, true) => token.trim_start_matches(UNDERLINE),
                (true, false) => token.strip_prefix(UNDERLINE).unwrap_or(token),
                _ => token,
            };
            if !special.contains(token) {
                run.push(token);
                previous_is_special = false;
                continue;
            }
            if !previous_is_special && (is_t5 || (i != 0 && self.spaces_before_special())) {
                text.push(' ');
            }
            text.push_str(&self.processor.decode(&run));
            text.push_str(token);
            run.clear();
            previous_is_special = true;
        }
        text.push_str(&self.processor.decode(&run));
        if is_t5 { text.trim_matches(is_python_space).to_string() } else { text }
    }
}

impl SentencePieceClass {
    /// The legacy class writes a space before a special token; 4.31 always does.
    fn spaces_before_special(&self) -> bool {
        self.release == Release::V4_31 || self.joining == Joining::Legacy
    }
}

/// Tokenizes a text behind a `▁`, its own `▁` read as spaces; spans are those of the text as it was.
pub fn behind_underline(text: &str, tokenize: impl Fn(&str) -> Result<Encoding>) -> Result<Encoding> {
    let mut marked = AlignedText::default();
    marked.push(UNDERLINE, 0..0);
    for (at, c) in text.char_indices() {
        marked.push(if c == UNDERLINE { ' ' } else { c }, at..at + c.len_utf8());
    }
    let mut encoding = tokenize(marked.as_str())?;
    for span in &mut encoding.spans {
        *span = marked.source_of(span.clone());
    }
    Ok(encoding)
}
