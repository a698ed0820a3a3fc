//! How a slow class cuts a text at its added tokens before anything else sees it.
//!
//! transformers keeps a trie and takes the leftmost, then longest match; what happens to the white space
//! beside a match changed between releases: 4.31 strips both sides of every token that Python holds as a plain
//! `str`, from 4.34 on the flags of the `AddedToken` decide.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::{Error, Result};
use crate::python::is_python_space;

/// How a matched token treats its neighbours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Neighbours {
    pub lstrip: bool,
    pub rstrip: bool,
    pub single_word: bool,
}

/// A stretch of the text: an added token (by index into [`Splitter::token`]) or ordinary text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub range: Range<usize>,
    pub token: Option<usize>,
}

/// Finds added tokens in a text.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    tokens: Vec<(String, Neighbours)>,
    automaton: Option<AhoCorasick>,
}

impl Splitter {
    /// A splitter for these tokens; empty ones are left out, as an empty match would never advance.
    pub fn new(tokens: BTreeMap<String, Neighbours>) -> Result<Self> {
        let tokens: Vec<_> = tokens.into_iter().filter(|(t, _)| !t.is_empty()).collect();
        if tokens.is_empty() {
            return Ok(Self::default());
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens.iter().map(|(t, _)| t))
            .map_err(|e| Error::Usage(format!("the added tokens are too many to search for: {e}")))?;
        Ok(Self { tokens, automaton: Some(automaton) })
    }

    /// The content of a token found by [`Splitter::split`].
    pub fn token(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |(t, _)| t)
    }

    /// All tokens with their habits.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, Neighbours)> {
        self.tokens.iter().map(|(t, n)| (t.as_str(), *n))
    }

    /// True without any token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The longest token that `text` begins with.
    pub fn prefix_of(&self, text: &str) -> Option<&str> {
        let found = self.tokens.iter().map(|(t, _)| t.as_str()).filter(|t| text.starts_with(t));
        found.max_by_key(|t| t.len())
    }

    /// Cuts `text`; parts are in order, never overlap, and may leave out stripped white space.
    pub fn split(&self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        for found in self.automaton.iter().flat_map(|a| a.find_iter(text)) {
            if found.start() > at {
                parts.push(Part { range: at..found.start(), token: None });
            }
            parts.push(Part { range: found.range(), token: Some(found.pattern().as_usize()) });
            at = found.end();
        }
        if at < text.len() {
            parts.push(Part { range: at..text.len(), token: None });
        }
        self.apply_flags(text, &mut parts);
        parts.retain(|p| !p.range.is_empty());
        parts
    }

    /// Strips the neighbours of each token, in order, as Python's loop does: a neighbour that is itself an
    /// added token is stripped too (and then no longer is one).
    fn apply_flags(&self, text: &str, parts: &mut [Part]) {
        for i in 0..parts.len() {
            let Some((token, flags)) = parts.get(i).and_then(|p| p.token).and_then(|t| self.tokens.get(t))
            else {
                continue;
            };
            // Whether a token stands in a word is judged by its neighbours as they were before stripping.
            let before = i.checked_sub(1).and_then(|l| parts.get(l)).map(|p| slice(text, &p.range));
            let after = parts.get(i + 1).map(|p| slice(text, &p.range));
            if flags.rstrip
                && let Some(right) = parts.get_mut(i + 1)
            {
                let s = slice(text, &right.range);
                right.range.start += s.len() - trim_start(s).len();
                self.recheck(text, right);
            }
            if flags.lstrip
                && let Some(left) = i.checked_sub(1).and_then(|l| parts.get_mut(l))
            {
                let s = slice(text, &left.range);
                left.range.end -= s.len() - trim_end(s).len();
                self.recheck(text, left);
            }
            if flags.single_word {
                let joined_left = before.is_some_and(|s| !s.is_empty() && !s.ends_with(' '));
                let joined_right = after.is_some_and(|s| !s.is_empty() && !s.starts_with(' '));
                self.join(parts, i, token.len(), joined_left, joined_right);
            }
        }
    }

    /// A `single_word` token inside a word goes back to the text beside it.
    fn join(&self, parts: &mut [Part], i: usize, len: usize, left: bool, right: bool) {
        let Some(end) = parts.get(i).map(|p| p.range.end) else { return };
        if left {
            if let Some(p) = i.checked_sub(1).and_then(|l| parts.get_mut(l)) {
                *p = Part { range: p.range.start..end, token: None };
            }
        } else if right {
            if let Some(p) = parts.get_mut(i + 1) {
                *p = Part { range: end - len..p.range.end, token: None };
            }
        } else {
            return;
        }
        if let Some(p) = parts.get_mut(i) {
            *p = Part { range: end..end, token: None };
        }
    }

    /// After stripping, a part is a token only if what is left is one.
    fn recheck(&self, text: &str, part: &mut Part) {
        if part.token.is_some() {
            let content = slice(text, &part.range);
            part.token = self.tokens.iter().position(|(t, _)| t == content);
        }
    }
}

fn slice<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or("")
}

fn trim_start(s: &str) -> &str {
    s.trim_start_matches(is_python_space)
}

fn trim_end(s: &str) -> &str {
    s.trim_end_matches(is_python_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokens: &[(&str, Neighbours)], text: &str) -> Vec<(String, bool)> {
        let splitter =
            Splitter::new(tokens.iter().map(|(t, n)| (t.to_string(), *n)).collect()).expect("builds");
        splitter.split(text).into_iter().map(|p| (text[p.range].to_string(), p.token.is_some())).collect()
    }

    fn owned(parts: &[(&str, bool)]) -> Vec<(String, bool)> {
        parts.iter().map(|(s, t)| (s.to_string(), *t)).collect()
    }

    const KEEP: Neighbours = Neighbours { lstrip: false, rstrip: false, single_word: false };

    #[test]
    fn takes_the_longest_token_at_the_leftmost_place() {
        let parts = cut(&[("  ", KEEP), ("   ", KEEP)], "a   b");
        assert_eq!(parts, owned(&[("a", false), ("   ", true), ("b", false)]));
    }

    #[test]
    fn strips_only_on_the_sides_that_the_flags_name() {
        let right = Neighbours { rstrip: true, ..KEEP };
        assert_eq!(
            cut(&[("<s>", right)], "a <s> \n b"),
            owned(&[("a ", false), ("<s>", true), ("b", false)])
        );
        let both = Neighbours { rstrip: true, lstrip: true, ..KEEP };
        assert_eq!(cut(&[("<s>", both)], "a <s> "), owned(&[("a", false), ("<s>", true)]));
    }

    #[test]
    fn a_single_word_token_inside_a_word_is_text() {
        let word = Neighbours { single_word: true, ..KEEP };
        assert_eq!(cut(&[("cat", word)], "cats"), owned(&[("cats", false)]));
        assert_eq!(cut(&[("cat", word)], "a cat b"), owned(&[("a ", false), ("cat", true), (" b", false)]));
    }
}
