//! What a person searches for: in the tokens of the sample on screen, in a list, in the help.
//!
//! `/im_end` finds a text wherever it stands, also across the seam of two tokens; `/151645` finds a token by its id as well.
//! Letters match in either case unless the query has a capital.

use super::view::SampleView;
use crate::diagnose::tokens_before;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSearch {
    query: String,
    /// Either case of an ASCII letter matches.
    folds: bool,
    /// The id that the query is.
    id: Option<i64>,
}

impl TextSearch {
    /// `None` for an empty query.
    pub fn new(query: &str) -> Option<Self> {
        let folds = !query.chars().any(char::is_uppercase);
        let found = Self { query: query.to_string(), folds, id: query.parse().ok() };
        (!query.is_empty()).then_some(found)
    }

    /// As it was typed.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// True where a line of a list is what is searched for.
    pub fn is_in(&self, text: &str) -> bool {
        match self.folds {
            // Only ASCII letters change, so that positions stay.
            true => text.to_ascii_lowercase().contains(&self.query),
            false => text.contains(&self.query),
        }
    }

    /// The tokens at which a match begins, in order.
    pub fn tokens(&self, view: &SampleView) -> Vec<usize> {
        let Some(labelled) = view.labelled() else { return Vec::new() };
        let mut found: Vec<usize> = Vec::new();
        if let Some(text) = view.inspection.prompt.as_deref() {
            let folded = if self.folds { text.to_ascii_lowercase() } else { text.to_string() };
            let starts = folded.match_indices(self.query.as_str()).map(|(at, _)| at);
            found.extend(starts.map(|at| tokens_before(&labelled.spans, at)));
        }
        let ids = labelled.input_ids.iter().enumerate();
        found.extend(ids.filter(|(_, id)| Some(**id) == self.id).map(|(index, _)| index));
        found.retain(|token| *token < labelled.input_ids.len());
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The position in a sorted list of the next match behind `at`, or before it; around the ends.
pub fn next(found: &[usize], at: usize, forward: bool) -> Option<usize> {
    let behind = found.partition_point(|token| *token <= at);
    let before = found.partition_point(|token| *token < at);
    let last = found.len().checked_sub(1)?;
    Some(match forward {
        true if behind > last => 0,
        true => behind,
        false => before.checked_sub(1).unwrap_or(last),
    })
}

/// The next of `count` rows behind `at`, or before it, for which something holds; around the ends, `at` last.
pub fn next_row(count: usize, at: usize, forward: bool, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let step = |n: usize| if forward { at + n } else { at + count - n };
    (1..=count).map(|n| step(n) % count).find(|row| holds(*row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_follow_each_other_around_the_ends() {
        let found = [3, 7, 9];
        for (at, forward, expected) in
            [(0, true, 0), (3, true, 1), (9, true, 0), (3, false, 2), (8, false, 1)]
        {
            assert_eq!(next(&found, at, forward), Some(expected), "{at} {forward}");
        }
        assert_eq!(next(&[], 0, true), None);
        let even = |row: usize| row.is_multiple_of(2);
        assert_eq!(next_row(5, 0, true, even), Some(2));
        assert_eq!(next_row(5, 4, true, even), Some(0));
        assert_eq!(next_row(5, 0, false, even), Some(4));
        assert_eq!(next_row(5, 1, true, |row| row == 1), Some(1));
        assert_eq!(next_row(5, 1, true, |_| false), None);
        assert_eq!(next_row(0, 0, true, |_| true), None);
    }

    #[test]
    fn a_capital_asks_for_the_very_letters() {
        assert!(TextSearch::new("").is_none());
        let small = TextSearch::new("im_end").unwrap();
        assert!(small.is_in("<|IM_end|>") && small.is_in("im_end"));
        let large = TextSearch::new("Im").unwrap();
        assert!(large.is_in("Image") && !large.is_in("image"));
    }
}
