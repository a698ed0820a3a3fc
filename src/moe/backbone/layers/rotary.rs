//! Rotation of queries and keys by position.

use std::sync::OnceLock;

use crate::moe::backbone::array::Array;
use crate::moe::rope::RopeTable;

/// Which two dimensions turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::moe::backbone) enum Pairing {
    /// i and i + dim/2 ("rotate_half"), most models.
    Halves,
    /// 2i and 2i + 1 (DeepSeek, Llama 4). The order of the result differs between releases, but queries
    /// and keys agree, so the attention does not see it.
    Neighbours,
}

/// The angles of one forward call.
#[derive(Debug, Clone)]
pub(in crate::moe::backbone) struct Rotary {
    pub table: RopeTable,
    pub pairing: Pairing,
    /// Positions.
    pub seq: usize,
    /// Cosines, then sines, `[2 * seq, dim / 2]`, once a device has asked for them.
    pub on_device: OnceLock<Array>,
}

impl Rotary {
    pub fn new(table: RopeTable, pairing: Pairing, seq: usize) -> Self {
        Self { table, pairing, seq, on_device: OnceLock::new() }
    }

    /// Rotates the first [`RopeTable::dim`] values of `row`, which belong to `position`; the rest passes.
    pub fn row(&self, position: usize, row: &mut [f32]) {
        let half = self.table.dim / 2;
        let range = position * half..(position + 1) * half;
        let cos = self.table.cos.get(range.clone()).unwrap_or_default();
        let sin = self.table.sin.get(range).unwrap_or_default();
        let Some(rotated) = row.get_mut(..half * 2) else { return };
        let turn = |a: &mut f32, b: &mut f32, c: f32, s: f32| (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
        match self.pairing {
            Pairing::Halves => {
                let (first, second) = rotated.split_at_mut(half);
                for (((a, b), c), s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                    turn(a, b, *c, *s);
                }
            }
            Pairing::Neighbours => {
                for ((pair, c), s) in rotated.chunks_exact_mut(2).zip(cos).zip(sin) {
                    if let [a, b] = pair {
                        turn(a, b, *c, *s);
                    }
                }
            }
        }
    }
}
