//! SentencePiece's own byte-pair merging: the pair whose joined piece has the best score first, the leftmost of
//! equals. (The `tokenizers` model ranks pairs, so it cannot express that two pairs are equal.)

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

/// A stretch of the text that is one piece so far, in a linked list.
#[derive(Debug, Clone)]
struct Symbol {
    range: Range<usize>,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that could become one piece.
#[derive(Debug)]
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Length of the joined text: a candidate is stale when one of the two has changed since.
    len: usize,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Candidate {}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

/// Cuts `text` into byte ranges; `score` gives the score of a piece that a merge may make.
pub fn merge_pieces(text: &str, score: impl Fn(&str) -> Option<f32>) -> Vec<Range<usize>> {
    trace_merges(text, score, |_, _, _| {})
}

/// The same, telling of each merge: left text, right text, score.
pub fn trace_merges(
    text: &str,
    score: impl Fn(&str) -> Option<f32>,
    mut on_merge: impl FnMut(&str, &str, f32),
) -> Vec<Range<usize>> {
    let mut symbols: Vec<Symbol> = text
        .char_indices()
        .enumerate()
        .map(|(i, (at, c))| Symbol {
            range: at..at + c.len_utf8(),
            previous: i.checked_sub(1),
            next: Some(i + 1),
        })
        .collect();
    if let Some(last) = symbols.last_mut() {
        last.next = None;
    }
    let mut heap = BinaryHeap::new();
    for right in 1..symbols.len() {
        heap.extend(candidate(text, &symbols, right - 1, right, &score));
    }
    while let Some(top) = heap.pop() {
        let (Some(left), Some(right)) = (symbols.get(top.left), symbols.get(top.right)) else { continue };
        let joined = left.range.start..right.range.end;
        if left.range.is_empty() || right.range.is_empty() || joined.len() != top.len {
            continue;
        }
        let (previous, next) = (left.previous, right.next);
        on_merge(
            text.get(left.range.clone()).unwrap_or(""),
            text.get(right.range.clone()).unwrap_or(""),
            top.score,
        );
        if let Some(left) = symbols.get_mut(top.left) {
            left.range = joined;
            left.next = next;
        }
        if let Some(right) = symbols.get_mut(top.right) {
            right.range = right.range.end..right.range.end;
        }
        if let Some(after) = next.and_then(|n| symbols.get_mut(n)) {
            after.previous = Some(top.left);
        }
        heap.extend(previous.and_then(|p| candidate(text, &symbols, p, top.left, &score)));
        heap.extend(next.and_then(|n| candidate(text, &symbols, top.left, n, &score)));
    }
    symbols.into_iter().map(|s| s.range).filter(|r| !r.is_empty()).collect()
}

fn candidate(
    text: &str,
    symbols: &[Symbol],
    left: usize,
    right: usize,
    score: impl Fn(&str) -> Option<f32>,
) -> Option<Candidate> {
    let range = symbols.get(left)?.range.start..symbols.get(right)?.range.end;
    let len = range.len();
    Some(Candidate { score: score(text.get(range)?)?, left, right, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, pieces: &[(&str, f32)]) -> Vec<String> {
        let score = |t: &str| pieces.iter().find(|(p, _)| *p == t).map(|(_, s)| *s);
        merge_pieces(text, score).into_iter().map(|r| text[r].to_string()).collect()
    }

    #[test]
    fn the_best_score_wins_and_the_leftmost_of_equals() {
        assert_eq!(cut("abc", &[("ab", -2.0), ("bc", -1.0)]), ["a", "bc"]);
        assert_eq!(cut("aaa", &[("aa", -1.0)]), ["aa", "a"]);
        assert_eq!(cut("aaaa", &[("aa", -1.0), ("aaaa", -2.0)]), ["aaaa"]);
        assert_eq!(cut("", &[]), Vec::<String>::new());
    }
}
