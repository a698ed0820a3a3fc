//! Tokens and bytes as visible glyphs.

use crate::labels::IMAGE_TOKEN_INDEX;
use crate::text::{self, Spaces};
use crate::tokenizer::{TokenId, Tokenizer};

/// A token as glyphs: what it adds to the text, special ones in ⟨⟩, an image's place in ⟦⟧.
pub fn token_glyphs(tokenizer: &Tokenizer, id: i64) -> String {
    if id == IMAGE_TOKEN_INDEX {
        return "⟦image⟧".to_string();
    }
    let known = TokenId::try_from(id).ok().and_then(|id| Some((id, tokenizer.token_bytes(id)?)));
    match known {
        None => format!("⟨no token {id}⟩"),
        Some((id, bytes)) if tokenizer.is_special(id) => format!("⟨{}⟩", glyph_text(&bytes)),
        Some((_, bytes)) => glyph_text(&bytes),
    }
}

/// Bytes as visible glyphs, spaces too.
pub fn glyph_text(bytes: &[u8]) -> String {
    text::glyphs_of_bytes(bytes, Spaces::Shown).into_iter().map(|glyph| glyph.text).collect()
}
