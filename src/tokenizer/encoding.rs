//! What encoding a text gives: ids, the bytes each one came from, and the token as the class names it.

use std::ops::Range;

/// Id of a token in the vocabulary (its row in the embedding).
pub type TokenId = u32;

/// Label of a position that the loss ignores (torch's `ignore_index`).
pub const IGNORE_INDEX: i64 = -100;
/// What stands among token ids for one `<image>` before the model replaces it with image features.
pub const IMAGE_TOKEN_INDEX: i64 = -200;

/// A token as the Python class names it: text for most, raw bytes for tiktoken-based classes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// The vocabulary's string, in its own alphabet (`Ġthe`, `▁the`, `<0x0A>`).
    Text(String),
    /// The bytes themselves (Qwen-1 and StableLM return `bytes` objects).
    Bytes(Vec<u8>),
}

/// The ids of one text.
///
/// `spans[i]` is the byte range of the *input* text that token `i` stands for. It is empty for tokens
/// that the tokenizer put there by itself (bos, a dummy prefix), and several tokens may share the range
/// of one character when it is split into bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    pub ids: Vec<TokenId>,
    pub spans: Vec<Range<usize>>,
    /// Tokens whose string is not that of their id (unknown pieces), by position.
    pub surfaces: Vec<(usize, String)>,
    /// Positions whose token has no id at all (Python's `None`); `ids` holds [`NO_ID`] there.
    pub without_id: Vec<usize>,
}

/// Stands in [`Encoding::ids`] for a token without an id.
pub const NO_ID: TokenId = TokenId::MAX;

impl Encoding {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Appends one token.
    pub fn push(&mut self, id: TokenId, span: Range<usize>) {
        self.ids.push(id);
        self.spans.push(span);
    }

    /// Appends a token that may have no id.
    pub fn push_optional(&mut self, id: Option<TokenId>, content: &str, span: Range<usize>) {
        if id.is_none() {
            self.without_id.push(self.ids.len());
            self.surfaces.push((self.ids.len(), content.to_string()));
        }
        self.push(id.unwrap_or(NO_ID), span);
    }

    /// Appends `other`, whose text begins at byte `offset` of this one's.
    pub fn extend_shifted(&mut self, other: &Encoding, offset: usize) {
        let base = self.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.spans.extend(other.spans.iter().map(|s| s.start + offset..s.end + offset));
        self.surfaces.extend(other.surfaces.iter().map(|(i, s)| (base + i, s.clone())));
        self.without_id.extend(other.without_id.iter().map(|i| base + i));
    }

    /// The spans as Python's `offsets`: in characters of `text`, the encoded text.
    ///
    /// A span that begins at or behind the end of the text stays in bytes, as the library leaves it.
    pub fn char_offsets(&self, text: &str) -> Vec<(usize, usize)> {
        let mut char_at = vec![0; text.len()];
        for (number, (at, c)) in text.char_indices().enumerate() {
            for slot in char_at.iter_mut().skip(at).take(c.len_utf8()) {
                *slot = number;
            }
        }
        let convert = |span: &Range<usize>| {
            let Some(start) = char_at.get(span.start).copied() else { return (span.start, span.end) };
            let end = char_at.get(span.end).copied().unwrap_or_else(|| {
                let last = span.end.checked_sub(1).and_then(|at| char_at.get(at).copied());
                last.unwrap_or(start + 1) + 1
            });
            (start, end)
        };
        self.spans.iter().map(convert).collect()
    }

    /// Drops the first token.
    pub fn remove_first(&mut self) {
        *self = self.without_head(1, 0);
    }

    /// Without the first `tokens`; spans move down by `bytes` (what stood before the text is gone too).
    pub fn without_head(&self, tokens: usize, bytes: usize) -> Encoding {
        let down = |s: &Range<usize>| s.start.saturating_sub(bytes)..s.end.saturating_sub(bytes);
        Encoding {
            ids: self.ids.iter().skip(tokens).copied().collect(),
            spans: self.spans.iter().skip(tokens).map(down).collect(),
            surfaces: self
                .surfaces
                .iter()
                .filter_map(|(i, s)| Some((i.checked_sub(tokens)?, s.clone())))
                .collect(),
            without_id: self.without_id.iter().filter_map(|i| i.checked_sub(tokens)).collect(),
        }
    }

    /// Keeps the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        self.ids.truncate(len);
        self.spans.truncate(len);
        self.surfaces.retain(|(i, _)| *i < len);
        self.without_id.retain(|i| *i < len);
    }
}
