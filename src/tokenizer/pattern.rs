//! Patterns of tokenizer files, searched within bounds.
//!
//! A backtracking pattern can take exponential time on a short text. The regex library counts its retries and gives up
//! after some millions, which the `onig` crate turns into a panic; between the matches of one text the deadline is asked for.
//! What matches, and where, is the same as in `tokenizers`' own use of the library.

use std::sync::Once;

use tokenizers::pattern::Pattern;
use tokenizers::utils::SysRegex;
use tokenizers::{Offsets, Result};

use crate::guard;

/// Retries of one search over a text: the library's own limit for one position. In the patterns of tokenizers something
/// matches at every place, so that a search ends where it begins.
const RETRIES: std::os::raw::c_ulong = 10_000_000;
/// Places to go back to that one match may hold, some dozen bytes each.
const STACK: std::os::raw::c_uint = 8_000_000;
/// Matches between two looks at the clock.
const MATCHES: usize = 32;

/// Bounds every search of this process. Called before the first pattern is used.
pub fn bound_searches() {
    static ONCE: Once = Once::new();
    ONCE.call_once(set_limits);
}

#[allow(unsafe_code)]
fn set_limits() {
    // SAFETY: both store a number in a global of the library; `Once` keeps other threads from storing at the same time,
    // and searches read it when they begin.
    unsafe {
        onig_sys::onig_set_retry_limit_in_search(RETRIES);
        onig_sys::onig_set_match_stack_limit_size(STACK);
    }
}

/// A pattern that gives up with an error.
#[derive(Debug, Clone, Copy)]
pub struct BoundedPattern<'r> {
    regex: &'r SysRegex,
    /// Bytes that the text may have when each match has been replaced by so many.
    replaced: Option<(usize, usize)>,
}

impl<'r> BoundedPattern<'r> {
    /// For splitting at its matches.
    pub fn new(regex: &'r SysRegex) -> Self {
        Self { regex, replaced: None }
    }

    /// For replacing each match by `len` bytes, if the text has no more than `most` then.
    pub fn replacing(regex: &'r SysRegex, len: usize, most: usize) -> Self {
        Self { regex, replaced: Some((len, most)) }
    }

    fn matches(&self, text: &str) -> Result<Vec<(Offsets, bool)>> {
        if text.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut end_before = 0;
        let mut len = text.len();
        let mut found = Vec::with_capacity(text.len().min(1 << 16));
        for (n, (start, end)) in self.regex.find_iter(text).enumerate() {
            if n % MATCHES == MATCHES - 1 {
                guard::check().map_err(|e| format!("a pattern of its pipeline: {e}"))?;
            }
            if end_before != start {
                found.push(((end_before, start), false));
            }
            found.push(((start, end), true));
            end_before = end;
            if let Some((by, most)) = self.replaced {
                len = len.saturating_add(by).saturating_sub(end.saturating_sub(start));
                if len > most {
                    return Err(too_long(len, most).into());
                }
            }
        }
        if end_before != text.len() {
            found.push(((end_before, text.len()), false));
        }
        Ok(found)
    }
}

/// What a step says that makes too much of a text.
pub fn too_long(len: usize, most: usize) -> String {
    format!("its normalizer lets the text grow to {len} bytes ({most} are the most)")
}

impl Pattern for BoundedPattern<'_> {
    fn find_matches(&self, text: &str) -> Result<Vec<(Offsets, bool)>> {
        guard::contain(|| self.matches(text)).unwrap_or_else(|panic| {
            Err(format!("a pattern of its pipeline gives up: {}", panic.message).into())
        })
    }
}

/// A text as a pattern that matches it.
pub fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$#&-~".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn regex(pattern: &str) -> SysRegex {
        bound_searches();
        SysRegex::new(pattern).expect("a pattern")
    }

    #[test]
    fn matches_are_those_of_the_library() {
        for (pattern, text) in [
            ("a+", "baac"),
            ("x*", "axb"),
            (" ?\\p{L}+|\\s+(?!\\S)|\\s+", "ab  cd  "),
            ("", "ab"),
            ("z", "é"),
        ] {
            let regex = regex(pattern);
            let (own, library) =
                (BoundedPattern::new(&regex).find_matches(text), (&regex).find_matches(text));
            assert_eq!(own.expect("found"), library.expect("found"), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_that_tries_without_end_gives_up() {
        let text = "a".repeat(60);
        let error =
            BoundedPattern::new(&regex("(a|aa)+c")).find_matches(&text).expect_err("too many").to_string();
        assert!(error.contains("retry"), "{error}");
        let found = guard::within(Duration::ZERO, || BoundedPattern::new(&regex("a")).find_matches(&text));
        assert!(found.expect_err("no time").to_string().contains("too long"));
    }

    #[test]
    fn a_text_may_not_grow_beyond_its_bounds() {
        let a = regex("a");
        assert!(BoundedPattern::replacing(&a, 10, 100).find_matches("aaaa").is_ok());
        assert!(BoundedPattern::replacing(&a, 100, 100).find_matches("aaaa").is_err());
    }

    #[test]
    fn a_literal_matches_itself() {
        for text in ["a.b*", "[x]{2}", "$^|\\", "▁ -#&~"] {
            let found = BoundedPattern::new(&regex(&literal(text))).find_matches(text).expect("found");
            assert_eq!(found, [((0, text.len()), true)], "{text}");
        }
    }
}
