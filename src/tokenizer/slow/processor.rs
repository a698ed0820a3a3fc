//! The SentencePiece library itself: normalise, cut into pieces, and put pieces back together.
//!
//! Written after the behaviour of sentencepiece 0.1.99, which the slow classes call.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::aligned::AlignedText;
use super::merging::{merge_pieces, trace_merges};
use super::split::{Neighbours, Splitter};
use super::viterbi::Viterbi;
use crate::error::Result;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::encoding::{Encoding, TokenId};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::charsmap::CharsMap;
use crate::tokenizer::formats::sentencepiece::{ModelProto, PieceKind};
use crate::tokenizer::split_points::SplitPoints;

/// SentencePiece's visible space.
pub const UNDERLINE: char = '▁';

/// What an unknown piece becomes in a text when the model names nothing else.
const UNKNOWN_SURFACE: &str = " \u{2047} ";

/// A loaded model file.
#[derive(Debug)]
pub struct Processor {
    /// The Unigram model; `None` for BPE.
    unigram: Option<Viterbi>,
    pieces: Vec<(String, PieceKind)>,
    ids: HashMap<String, TokenId>,
    scores: Vec<f32>,
    byte_fallback: bool,
    unk: TokenId,
    unk_surface: String,
    charsmap: CharsMap,
    /// Pieces that the user declared: cut out first, never changed or merged.
    declared: Splitter,
    pub add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
    escape_whitespaces: bool,
}

impl Processor {
    /// The processor of a model file of a tokenizer.
    ///
    /// # Errors
    /// A file that is missing, and those of [`Self::new`].
    pub fn open(files: &FileSet, file: &str) -> Result<Self> {
        let (model, path) = ModelProto::open(files, file)?;
        Self::new(&model, &path)
    }

    /// A processor over a model file.
    ///
    /// # Errors
    /// Pieces that make no model, or broken normalisation rules.
    pub fn new(model: &ModelProto, path: &Path) -> Result<Self> {
        let pieces: Vec<(String, PieceKind)> =
            model.entries().map(|(t, _, _, k)| (t.to_string(), k)).collect();
        let unk = pieces.iter().position(|(_, k)| *k == PieceKind::Unknown).unwrap_or(0);
        let unk = TokenId::try_from(unk).unwrap_or(0);
        let declared = pieces.iter().filter(|(_, k)| *k == PieceKind::UserDefined);
        let declared = declared.map(|(t, _)| (t.clone(), Neighbours::default())).collect();
        let spec = model.normalizer_spec.clone().unwrap_or_default();
        let surface = model.trainer_spec.as_ref().and_then(|t| t.unk_surface.clone());
        Ok(Self {
            unigram: (!model.is_bpe()).then(|| Viterbi::new(model, unk)),
            scores: model.entries().map(|(_, _, score, _)| score).collect(),
            byte_fallback: model.trainer_spec.as_ref().is_some_and(|t| t.byte_fallback()),
            ids: model.entries().map(|(t, id, ..)| (t.to_string(), id)).collect(),
            pieces,
            unk,
            unk_surface: surface.unwrap_or_else(|| UNKNOWN_SURFACE.to_string()),
            charsmap: CharsMap::read(spec.precompiled_charsmap.as_deref().unwrap_or(&[]), path)?,
            declared: Splitter::new(declared)?,
            add_dummy_prefix: spec.add_dummy_prefix(),
            remove_extra_whitespaces: spec.remove_extra_whitespaces(),
            escape_whitespaces: spec.escape_whitespaces(),
        })
    }

    /// Where texts may be cut: known for BPE that only makes spaces visible and puts one in front.
    ///
    /// # Errors
    /// The reason why that is not known.
    pub fn split_points(&self) -> std::result::Result<SplitPoints, String> {
        let plain = self.charsmap.is_empty()
            && self.declared.is_empty()
            && self.add_dummy_prefix
            && self.escape_whitespaces
            && !self.remove_extra_whitespaces;
        // A space must be a piece: unknown neighbours melt into one.
        let knows_space = self.merged_score(UNDERLINE.encode_utf8(&mut [0; 4])).is_some();
        if self.unigram.is_some() || !plain || !knows_space {
            return Err("its model file is no BPE that changes nothing in texts but their spaces".to_string());
        }
        Ok(SplitPoints::dummy_space(self.pieces.iter().map(|(text, _)| text.as_str())))
    }

    /// Number of pieces.
    pub fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// The id of the unknown piece.
    pub fn unk_id(&self) -> TokenId {
        self.unk
    }

    /// The id of a piece; `None` where the library would answer with the unknown id.
    pub fn id_of(&self, piece: &str) -> Option<TokenId> {
        self.ids.get(piece).copied()
    }

    /// The piece at an id.
    pub fn piece(&self, id: TokenId) -> Option<(&str, PieceKind)> {
        self.pieces.get(id as usize).map(|(t, k)| (t.as_str(), *k))
    }

    /// True for a BPE model, false for Unigram.
    pub fn is_bpe(&self) -> bool {
        self.unigram.is_none()
    }

    /// The score of a piece.
    pub fn score(&self, id: TokenId) -> Option<f32> {
        self.scores.get(id as usize).copied()
    }

    /// The merges that make a piece out of its characters, as (left, right, score) in their order; empty for a
    /// Unigram model.
    pub fn merges_of(&self, piece: &str) -> Vec<(String, String, f32)> {
        let mut steps = Vec::new();
        if self.unigram.is_none() {
            let score = |text: &str| self.merged_score(text);
            trace_merges(piece, score, |left, right, score| {
                steps.push((left.to_string(), right.to_string(), score));
            });
        }
        steps
    }

    /// The ids of a text; unknown stretches keep their text as surface.
    pub fn encode(&self, text: &str) -> Encoding {
        let aligned = self.normalize(text);
        let mut encoding = Encoding::default();
        // Unigram weighs declared pieces like others, only heavier; BPE cuts them out first.
        let declared = if self.is_bpe() { &self.declared } else { &Splitter::default() };
        for part in declared.split(aligned.as_str()) {
            let stretch = aligned.as_str().get(part.range.clone()).unwrap_or("");
            match part.token.and_then(|t| self.id_of(declared.token(t))) {
                Some(id) => encoding.push(id, part.range),
                None => encoding.extend_shifted(&self.encode_stretch(stretch), part.range.start),
            }
        }
        for (i, (id, span)) in encoding.ids.iter().zip(&mut encoding.spans).enumerate() {
            if *id == self.unk {
                let surface = aligned.as_str().get(span.clone()).unwrap_or("");
                encoding.surfaces.push((i, surface.to_string()));
            }
            *span = aligned.source_of(span.clone());
        }
        encoding
    }

    /// The text as the model sees it: rules applied, white space reduced where the model asks for it, spaces
    /// visible, a dummy one in front.
    fn normalize(&self, text: &str) -> AlignedText {
        let mut aligned = AlignedText::default();
        let reduces = self.remove_extra_whitespaces;
        let mut at = 0;
        while let Some((len, " ")) = self.next_prefix(text, at).filter(|_| reduces) {
            at += len;
        }
        if at == text.len() {
            return aligned;
        }
        if self.add_dummy_prefix {
            aligned.push(self.space(), 0..0);
        }
        let mut after_space = reduces;
        while let Some((len, unit)) = self.next_prefix(text, at) {
            // Only the spaces that a unit begins with are looked at: one with spaces inside keeps them.
            let kept = if after_space { unit.trim_start_matches(' ') } else { unit };
            for c in kept.chars() {
                aligned.push(if c == ' ' { self.space() } else { c }, at..at + len);
            }
            if !kept.is_empty() {
                after_space = reduces && kept.ends_with(' ');
            }
            at += len;
        }
        // The dummy space and a `▁` of the text go like any other.
        while reduces && aligned.as_str().ends_with(self.space()) {
            aligned.pop();
        }
        aligned
    }

    fn space(&self) -> char {
        if self.escape_whitespaces { UNDERLINE } else { ' ' }
    }

    /// The next unit of the text from byte `at`: a declared piece, a rule's prefix, or one character.
    fn next_prefix<'t>(&'t self, text: &'t str, at: usize) -> Option<(usize, &'t str)> {
        let rest = text.get(at..).filter(|r| !r.is_empty())?;
        if let Some(declared) = self.declared.prefix_of(rest) {
            return Some((declared.len(), declared));
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        self.charsmap.longest_prefix(rest).or_else(|| Some((first, rest.get(..first)?)))
    }

    /// The text of a run of pieces.
    pub fn decode(&self, pieces: &[&str]) -> String {
        let mut text = String::new();
        let mut bytes: Vec<u8> = Vec::new();
        let strips = self.add_dummy_prefix || self.remove_extra_whitespaces;
        let mut at_start = true;
        let mut stripped = false;
        for piece in pieces {
            let id = self.id_of(piece).unwrap_or(self.unk);
            let kind = self.piece(id).map_or(PieceKind::Unknown, |(_, k)| k);
            if let (PieceKind::Byte, Some(byte)) = (kind, byte_alphabet::byte_piece(piece)) {
                bytes.push(byte);
                continue;
            }
            flush(&mut bytes, &mut text);
            at_start = at_start && !stripped && text.is_empty();
            stripped = false;
            match kind {
                PieceKind::Control => {}
                PieceKind::Unknown if self.piece(self.unk).is_some_and(|(t, _)| t == *piece) => {
                    text.push_str(&self.unk_surface);
                }
                PieceKind::Unknown => text.push_str(piece),
                _ => {
                    let rest = piece.strip_prefix(UNDERLINE).filter(|_| at_start && strips);
                    stripped = rest.is_some() && !self.remove_extra_whitespaces;
                    text.push_str(&rest.unwrap_or(piece).replace(UNDERLINE, " "));
                }
            }
        }
        flush(&mut bytes, &mut text);
        text
    }

    /// The score of a piece that a merge may make: control, unknown and byte pieces never come out of one.
    fn merged_score(&self, piece: &str) -> Option<f32> {
        let id = self.id_of(piece)? as usize;
        let (_, kind) = self.pieces.get(id)?;
        let made = matches!(kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
        made.then(|| self.scores.get(id).copied()).flatten()
    }

    /// The byte pieces of a text, where the model has them all.
    fn bytes_of(&self, text: &str) -> Option<Vec<TokenId>> {
        text.bytes().map(|b| self.id_of(&format!("<0x{b:02X}>"))).collect()
    }

    /// Appends a piece of the model's, or the bytes of an unknown one; unknown neighbours become one unknown piece.
    fn push_piece(&self, encoding: &mut Encoding, text: &str, id: TokenId, range: Range<usize>) {
        let unknown = text.get(range.clone()).filter(|_| id == self.unk);
        if let Some(bytes) = unknown.filter(|_| self.byte_fallback).and_then(|t| self.bytes_of(t)) {
            bytes.into_iter().for_each(|id| encoding.push(id, range.clone()));
        } else if let (Some(_), Some(last), Some(true)) =
            (unknown, encoding.spans.last_mut(), encoding.ids.last().map(|id| *id == self.unk))
        {
            last.end = range.end;
        } else {
            encoding.push(id, range);
        }
    }

    /// A stretch without declared pieces (with them for Unigram).
    fn encode_stretch(&self, text: &str) -> Encoding {
        let mut encoding = Encoding::default();
        if let Some(unigram) = &self.unigram {
            for (id, range) in unigram.cut(text) {
                self.push_piece(&mut encoding, text, id, range);
            }
            return encoding;
        }
        for range in merge_pieces(text, |piece| self.merged_score(piece)) {
            let piece = text.get(range.clone()).unwrap_or("");
            let known = self.id_of(piece).filter(|_| self.merged_score(piece).is_some());
            self.push_piece(&mut encoding, text, known.unwrap_or(self.unk), range);
        }
        encoding
    }
}

/// Bytes that make no character become one replacement character each.
fn flush(bytes: &mut Vec<u8>, text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('\u{FFFD}', chunk.invalid().len()));
    }
    bytes.clear();
}
