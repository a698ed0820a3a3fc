//! The tokens of the compared text as glyphs.

use crate::app::flow::glyphs_of_id;
use crate::app::screens::strategies::ComparedStrategies;
use crate::text::{Glyph, Spaces, glyphs};
use crate::tokenizer::NO_ID;

/// Widest that one token is drawn.
const TOKEN_WIDTH: usize = 20;

/// True for an added or special token.
pub(super) fn is_special(compared: &ComparedStrategies, token: usize) -> bool {
    let id = compared.comparison.turns.encoded.ids.get(token);
    id.is_some_and(|id| compared.setup.tokenizer.is_special(*id))
}

/// A token as glyphs, cut to the width that a token may take.
pub(super) fn token_glyphs(compared: &ComparedStrategies, token: usize) -> Vec<Glyph> {
    let Some(id) = compared.comparison.turns.encoded.ids.get(token) else { return Vec::new() };
    if *id == NO_ID {
        return glyphs("⟦image⟧", Spaces::Shown);
    }
    let glyphs = glyphs_of_id(&compared.setup.tokenizer, *id, is_special(compared, token));
    let mut used = 0;
    let fits = |glyph: &Glyph| {
        used += usize::from(glyph.width);
        used <= TOKEN_WIDTH
    };
    glyphs.into_iter().take_while(fits).collect()
}
