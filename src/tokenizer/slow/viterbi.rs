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
    /// In bytes.
    len: usize,
    id: TokenId,
    score: f64,
}

/// A beginning of pieces. The nodes one byte longer lie side by side, in the order of that byte.
#[derive(Debug, Clone, Default)]
struct Node {
    last_byte: u8,
    children: Range<u32>,
    /// The piece that this is the whole of, by its place in [`Viterbi::pieces`].
    piece: Option<u32>,
}

/// The pieces of a Unigram model.
#[derive(Debug)]
pub struct Viterbi {
    pieces: Vec<Piece>,
    /// Those of a length before those of the next; the root, of no length, first.
    nodes: Vec<Node>,
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

impl Viterbi {
    /// The pieces of a model file; `unk` is the id of what has none.
    pub fn new(model: &ModelProto, unk: TokenId) -> Self {
        let scores = || model.entries().filter(|(.., kind)| *kind == PieceKind::Normal).map(|(_, _, s, _)| s);
        let best = scores().fold(BEST_SCORE_AT_FIRST, f32::max);
        let mut pieces: Vec<(&str, Piece)> = model
            .entries()
            .filter_map(|(text, id, score, kind)| {
                let score = match kind {
                    PieceKind::Normal => f64::from(score),
                    // Meant to beat every other cut; with `best` next to nothing it beats all but a few.
                    PieceKind::UserDefined => f64::from(text.len() as f32 * best) - 0.1,
                    _ => return None,
                };
                (!text.is_empty()).then_some((text, Piece { len: text.len(), id, score }))
            })
            .collect();
        pieces.sort_by_key(|(text, _)| *text);
        let nodes = nodes_of(&pieces.iter().map(|(text, _)| text.as_bytes()).collect::<Vec<_>>());
        let pieces = pieces.into_iter().map(|(_, piece)| piece).collect();
        Self { pieces, nodes, unk, unknown_score: scores().fold(f32::MAX, f32::min) - UNKNOWN_PENALTY }
    }

    /// The pieces of the best cut, each with its byte range; unknown characters one by one.
    pub fn cut(&self, text: &str) -> Vec<(TokenId, Range<usize>)> {
        let mut arrivals = vec![Arrival::default(); text.len() + 1];
        for (at, c) in text.char_indices() {
            let sum = arrivals.get(at).map_or(0.0, |a| a.sum);
            let mut has_piece_of_one_character = false;
            self.for_each_prefix(text.get(at..).unwrap_or(""), |piece| {
                arrive(&mut arrivals, at, piece.len, piece.id, piece.score + f64::from(sum));
                has_piece_of_one_character |= piece.len == c.len_utf8();
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
        let mut node = self.nodes.first();
        for byte in text.bytes() {
            node = node.and_then(|node| self.child(node, byte));
            let Some(node) = node else { return };
            if let Some(piece) = node.piece.and_then(|piece| self.pieces.get(piece as usize)) {
                found(piece);
            }
        }
    }

    fn child(&self, node: &Node, byte: u8) -> Option<&Node> {
        let children = self.nodes.get(node.children.start as usize..node.children.end as usize)?;
        children.get(children.binary_search_by_key(&byte, |child| child.last_byte).ok()?)
    }
}

/// The beginnings of sorted texts.
fn nodes_of(texts: &[&[u8]]) -> Vec<Node> {
    let narrow = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let mut nodes = vec![Node::default()];
    // Which texts begin with each node, and its length; the nodes are numbered in the order of this list.
    let mut open = std::collections::VecDeque::from([(0..texts.len(), 0)]);
    let mut at = 0;
    while let Some((range, len)) = open.pop_front() {
        let first_child = narrow(nodes.len());
        let mut from = range.start;
        let mut piece = None;
        while let Some(text) = texts.get(from).filter(|_| from < range.end) {
            let Some(byte) = text.get(len) else {
                piece = Some(narrow(from));
                from += 1;
                continue;
            };
            let rest = texts.get(from..range.end).unwrap_or(&[]);
            let same = rest.partition_point(|text| text.get(len) == Some(byte));
            nodes.push(Node { last_byte: *byte, ..Node::default() });
            open.push_back((from..from + same, len + 1));
            from += same;
        }
        let children = first_child..narrow(nodes.len());
        if let Some(node) = nodes.get_mut(at) {
            (node.children, node.piece) = (children, piece);
        }
        at += 1;
    }
    nodes
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
        Viterbi::new(&model, 0).cut(text).into_iter().map(|(_, range)| &text[range]).collect()
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
