//! SentencePiece's Unigram: of all ways to cut a text into pieces, the one whose scores add up best.
//!
//! The `tokenizers` model adds the same scores in 64 bits. The library keeps the sum of each path in 32, so that of two
//! cuts with the same pieces in another order (`a`,`aa` and `aa`,`a`) the one wins whose sums happened to be rounded
//! up; that can only be had by rounding at the same places.

use std::ops::Range;

use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::formats::sentencepiece::{ModelProto, PieceKind};

/// By how much an unknown character is worse than the worst piece.
const UNKNOWN_PENALTY: f32 = 10.0;
/// What the library takes for the best score before it has seen one: C's `FLT_MIN`, which is above zero. So it stays the
/// best score of every model whose scores are logarithms.
const BEST_SCORE_AT_FIRST: f32 = f32::MIN_POSITIVE;

/// A piece that may stand in a cut.
#[derive(Debug)]
struct Piece {
    text: Box<str>,
    id: TokenId,
    score: f64,
}

/// The pieces of a Unigram model.
#[derive(Debug)]
pub struct BestPath {
    /// Sorted, so that the pieces with a common beginning are neighbours.
    pieces: Vec<Piece>,
    unk: TokenId,
    unknown_score: f32,
}

/// The best way to a place in the text: its sum, and its last step.
#[derive(Debug, Clone, Copy, Default)]
struct Arrival {
    sum: f32,
    /// Where the last piece began, and its id; `None` for a place that no piece ends at.
    step: Option<(usize, TokenId)>,
}

impl BestPath {
    /// The pieces of a model file; `unk` is the id of what has none.
    pub fn new(model: &ModelProto, unk: TokenId) -> Self {
        let scores = || model.entries().filter(|(.., kind)| *kind == PieceKind::Normal).map(|(_, _, s, _)| s);
        let best = scores().fold(BEST_SCORE_AT_FIRST, f32::max);
        let mut pieces: Vec<Piece> = model
            .entries()
            .filter_map(|(text, id, score, kind)| {
                let score = match kind {
                    PieceKind::Normal => f64::from(score),
                    // Meant to beat every other cut; with `best` next to nothing it beats all but a few.
                    PieceKind::UserDefined => f64::from(text.len() as f32 * best) - 0.1,
                    _ => return None,
                };
                Some(Piece { text: text.into(), id, score })
            })
            .collect();
        pieces.sort_by(|a, b| a.text.cmp(&b.text));
        Self { pieces, unk, unknown_score: scores().fold(f32::MAX, f32::min) - UNKNOWN_PENALTY }
    }

    /// The pieces of the best cut, each with its byte range; unknown characters one by one.
    pub fn cut(&self, text: &str) -> Vec<(TokenId, Range<usize>)> {
        let mut arrivals = vec![Arrival::default(); text.len() + 1];
        for (at, c) in text.char_indices() {
            let sum = arrivals.get(at).map_or(0.0, |a| a.sum);
            let mut has_piece_of_one_character = false;
            self.for_each_prefix(text.get(at..).unwrap_or(""), |piece| {
                arrive(&mut arrivals, at, piece.text.len(), piece.id, piece.score + f64::from(sum));
                has_piece_of_one_character |= piece.text.len() == c.len_utf8();
            });
            if !has_piece_of_one_character {
                arrive(&mut arrivals, at, c.len_utf8(), self.unk, f64::from(self.unknown_score + sum));
            }
        }
        let mut cut = Vec::new();
        let mut end = text.len();
        while let Some((start, id)) = arrivals.get(end).and_then(|a| a.step) {
            cut.push((id, start..end));
            end = start;
        }
        cut.reverse();
        cut
    }

    /// The pieces that `text` begins with, the shortest first.
    fn for_each_prefix(&self, text: &str, mut found: impl FnMut(&Piece)) {
        let mut candidates = self.pieces.as_slice();
        for (depth, byte) in text.bytes().enumerate() {
            // All candidates agree in the first `depth` bytes, and none is shorter than that.
            let at = |piece: &Piece| piece.text.as_bytes().get(depth).copied();
            let from = candidates.partition_point(|piece| at(piece) < Some(byte));
            let rest = candidates.get(from..).unwrap_or(&[]);
            candidates = rest.get(..rest.partition_point(|piece| at(piece) == Some(byte))).unwrap_or(&[]);
            match candidates.first() {
                None => return,
                Some(first) if first.text.len() == depth + 1 => found(first),
                Some(_) => {}
            }
        }
    }
}

/// Takes a step to the place `len` bytes on, where it makes the better sum; the first of equals stays.
fn arrive(arrivals: &mut [Arrival], at: usize, len: usize, id: TokenId, sum: f64) {
    if let Some(arrival) = arrivals.get_mut(at + len)
        && (arrival.step.is_none() || sum > f64::from(arrival.sum))
    {
        *arrival = Arrival { sum: sum as f32, step: Some((at, id)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::formats::sentencepiece::SentencePiece;

    fn cut<'t>(pieces: &[(&str, f32, PieceKind)], text: &'t str) -> Vec<&'t str> {
        let pieces = pieces.iter().map(|(text, score, kind)| SentencePiece {
            piece: Some(text.to_string()),
            score: Some(*score),
            r#type: Some(*kind as i32),
        });
        let model = ModelProto { pieces: pieces.collect(), ..ModelProto::default() };
        BestPath::new(&model, 0).cut(text).into_iter().map(|(_, range)| &text[range]).collect()
    }

    const UNKNOWN: (&str, f32, PieceKind) = ("<unk>", 0.0, PieceKind::Unknown);
    use PieceKind::{Control, Normal, Unused, UserDefined};

    #[test]
    fn the_best_sum_wins_and_what_has_no_piece_stands_alone() {
        let pieces =
            [UNKNOWN, ("a", -2.0, Normal), ("b", -2.0, Normal), ("ab", -3.0, Normal), ("<s>", 0.0, Control)];
        assert_eq!(cut(&pieces, "aabé<s>"), ["a", "ab", "é", "<", "s", ">"]);
        assert_eq!(cut(&pieces, ""), Vec::<&str>::new());
        let unused = [UNKNOWN, ("a", -2.0, Normal), ("b", -2.0, Normal), ("ab", -1.0, Unused)];
        assert_eq!(cut(&unused, "ab"), ["a", "b"]);
    }

    /// A declared piece costs 0.1 whatever its length, so a piece of that cost or less can win over it.
    #[test]
    fn a_declared_piece_has_a_price_too() {
        let pieces =
            |whole: f32| [UNKNOWN, ("a", -1.0, Normal), ("aa", -3.0, UserDefined), ("aaa", whole, Normal)];
        assert_eq!(cut(&pieces(-2.0), "aaa"), ["aa", "a"]);
        assert_eq!(cut(&pieces(-1.05), "aaa"), ["aaa"]);
    }

    /// In 64 bits the two ways to cut `xaaa` are equal and the first stays; in 32 the second is a rounding better.
    #[test]
    fn sums_are_rounded_on_the_way() {
        let (x, a, aa) = (-1.0_f32, -2.1_f32, -3.2_f32);
        assert_eq!(f64::from(x) + f64::from(a) + f64::from(aa), f64::from(x) + f64::from(aa) + f64::from(a));
        let pieces = [UNKNOWN, ("x", x, Normal), ("a", a, Normal), ("aa", aa, Normal)];
        assert_eq!(cut(&pieces, "xaaa"), ["x", "aa", "a"]);
    }
}
