//! What encoding a text gives: ids, the bytes each one came from, and the token as the class names it.

use std::ops::Range;

/// Id of a token in the vocabulary (its row in the embedding).
pub type TokenId = u32;

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
}

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

    /// Appends `other`, whose text begins at byte `offset` of this one's.
    pub fn extend_shifted(&mut self, other: &Encoding, offset: usize) {
        let base = self.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.spans.extend(other.spans.iter().map(|s| s.start + offset..s.end + offset));
        self.surfaces.extend(other.surfaces.iter().map(|(i, s)| (base + i, s.clone())));
    }

    /// Keeps the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        self.ids.truncate(len);
        self.spans.truncate(len);
        self.surfaces.retain(|(i, _)| *i < len);
    }
}
