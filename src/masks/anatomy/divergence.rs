//! The place where two renderings of one conversation stop agreeing.

use super::positions::Tokens;

/// Characters that an excerpt shows.
const EXCERPT: usize = 48;

/// Two texts that were expected to agree stop doing so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Character of the whole text.
    pub at: usize,
    /// What the shorter rendering has from there on, at most [`EXCERPT`] characters.
    pub alone: String,
    /// What the whole has.
    pub whole: String,
}

/// How the rendering up to a message relates to the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixState {
    Whole,
    Parts(Divergence),
    /// The template raises on it.
    Raises(String),
}

impl PrefixState {
    /// Where it parts, if it does.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            Self::Parts(divergence) => Some(divergence),
            _ => None,
        }
    }
}

/// Where `alone` stops being a prefix of `whole`.
pub(super) fn divergence(whole: &str, alone: &str, tokens: &Tokens) -> Option<Divergence> {
    let shared = shared_prefix(whole, alone);
    if shared == alone.len() {
        return None;
    }
    let at = tokens.seam(shared);
    let excerpt = |text: &str| text.get(at..).unwrap_or_default().chars().take(EXCERPT).collect();
    Some(Divergence { at: tokens.chars.at(at), alone: excerpt(alone), whole: excerpt(whole) })
}

/// Bytes that two texts share from the start, on a character boundary of both.
pub(super) fn shared_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}
