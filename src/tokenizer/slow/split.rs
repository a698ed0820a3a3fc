//! How a slow class cuts a text at its added tokens before anything else sees it.
//!
//! transformers keeps a trie and takes the leftmost, then longest match; what happens to the white space
//! beside a match changed between releases: 4.31 strips both sides of every token that Python holds as a plain
//! `str`, from 4.34 on the flags of the `AddedToken` decide.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::aligned::AlignedText;
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
pub struct SplitSegment {
    pub range: Range<usize>,
    pub token: Option<usize>,
    /// White space inside the range that a token took away before it was joined to its neighbour.
    pub gone: Vec<Range<usize>>,
}

impl SplitSegment {
    fn new(range: Range<usize>, token: Option<usize>) -> Self {
        Self { range, token, gone: Vec::new() }
    }

    /// What is left of the part in the whole text.
    pub fn left_of(&self, text: &str) -> AlignedText {
        let mut left = AlignedText::default();
        for (at, c) in slice(text, &self.range).char_indices() {
            let at = self.range.start + at;
            if !self.gone.iter().any(|gone| gone.contains(&at)) {
                left.push(c, at..at + c.len_utf8());
            }
        }
        left
    }
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

    /// All tokens, each with how it treats its neighbours.
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
    pub fn split(&self, text: &str) -> Vec<SplitSegment> {
        let mut parts = Vec::new();
        let mut at = 0;
        for found in self.automaton.iter().flat_map(|a| a.find_iter(text)) {
            if found.start() > at {
                parts.push(SplitSegment::new(at..found.start(), None));
            }
            parts.push(SplitSegment::new(found.range(), Some(found.pattern().as_usize())));
            at = found.end();
        }
        if at < text.len() {
            parts.push(SplitSegment::new(at..text.len(), None));
        }
        self.apply_flags(text, &mut parts);
        parts.retain(|p| !p.range.is_empty());
        parts
    }

    /// Strips the neighbours of each token, in order, as Python's loop does: a neighbour that is itself an
    /// added token is stripped too (and then no longer is one).
    fn apply_flags(&self, text: &str, parts: &mut [SplitSegment]) {
        for i in 0..parts.len() {
            let Some((_, flags)) = parts.get(i).and_then(|p| p.token).and_then(|t| self.tokens.get(t)) else {
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
                self.join(text, parts, i, [joined_left, joined_right]);
            }
        }
    }

    /// A `single_word` token inside a word goes back to the text beside it; white space that it has taken away by then
    /// does not come back between them. What they make together may be a token again.
    fn join(&self, text: &str, parts: &mut [SplitSegment], i: usize, [left, right]: [bool; 2]) {
        let Some(own) = parts.get(i).map(|p| p.range.clone()) else { return };
        let neighbour = match (left, right) {
            (true, _) => i.checked_sub(1),
            (false, true) => Some(i + 1),
            (false, false) => return,
        };
        if let Some(part) = neighbour.and_then(|n| parts.get_mut(n)) {
            let (between, joined) = match left {
                _ if part.range.is_empty() => (own.end..own.end, own.clone()),
                true => (part.range.end..own.start, part.range.start..own.end),
                false => (own.end..part.range.start, own.start..part.range.end),
            };
            part.gone.extend(Some(between).filter(|b| !b.is_empty()));
            part.range = joined;
            part.token = self.token_like(part.left_of(text).as_str());
        }
        if let Some(part) = parts.get_mut(i) {
            *part = SplitSegment::new(own.end..own.end, None);
        }
    }

    /// After stripping, a part is a token only if what is left is one.
    fn recheck(&self, text: &str, part: &mut SplitSegment) {
        if part.token.is_some() {
            part.token = self.token_like(slice(text, &part.range));
        }
    }

    /// The token with this very content.
    fn token_like(&self, content: &str) -> Option<usize> {
        self.tokens.iter().position(|(t, _)| t == content)
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

    #[test]
    fn white_space_that_a_token_took_does_not_come_back_when_it_is_joined() {
        let left = |flags: Neighbours, text: &str| {
            let splitter = Splitter::new([("cat".to_string(), flags)].into()).expect("builds");
            let parts = splitter.split(text).into_iter();
            parts.map(|p| p.left_of(text).as_str().to_string()).collect::<Vec<_>>()
        };
        let word = Neighbours { single_word: true, ..KEEP };
        assert_eq!(left(Neighbours { lstrip: true, ..word }, "a\ncat b"), ["acat", " b"]);
        assert_eq!(left(Neighbours { rstrip: true, ..word }, "a cat\tb"), ["a ", "catb"]);
        assert_eq!(left(word, "a\ncat"), ["a\ncat"]);
        // Joined to a neighbour of which nothing is left it is the token that it was.
        assert_eq!(cut(&[("cat", Neighbours { rstrip: true, ..word })], "cat\n"), owned(&[("cat", true)]));
    }
}
