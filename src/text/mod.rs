//! The one door for text that came from outside: tokens, data, file names, error messages.
//!
//! A terminal acts on control characters, reorders text at format characters, and hides what has no width.
//! ratatui drops some of these and passes others on. So everything untrusted becomes [`Glyph`]s first: each is
//! visible, one or two cells wide, and knows the source bytes it stands for. Width is measured on glyphs, with
//! [`width`], and nowhere else.

mod glyph;
mod visible;

pub use glyph::{Glyph, GlyphKind, MAX_MARKS, is_hidden};
pub use visible::{Spaces, glyphs, glyphs_of_bytes, glyphs_width, plain, width};
