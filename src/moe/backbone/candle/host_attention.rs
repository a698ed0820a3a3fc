//! Attention on the CPU: a tile is one head and [`TILE`] queries against the keys that they see, so that its scores
//! stay in the cache from the first product to the second, and the half above the diagonal is never made.

use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::common::by_head;
use super::softmax::{ScoreBlock, key_range};
use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::Scores;
use crate::moe::error::MoeResult;

/// Queries of one tile: with 2,048 keys its scores take 512 KiB.
const TILE: usize = 64;

/// Some queries of one head of one sequence.
#[derive(Debug)]
struct Tile {
    batch: usize,
    head: usize,
    queries: Range<usize>,
}

/// Queries, keys and values `[B, heads, S, dim]`.
struct ByHead {
    q: Tensor,
    k: Tensor,
    v: Tensor,
}

pub(super) fn attend(scores: &Scores<'_>) -> MoeResult<Array> {
    let (heads, seq) = (scores.heads, scores.seq);
    let (batch, value_dim) = (scores.q.rows / seq.max(1), scores.v.width / scores.kv_heads.max(1));
    let by_head = ByHead {
        q: by_head(&scores.q, seq, heads)?,
        k: by_head(&scores.k, seq, scores.kv_heads)?,
        v: by_head(&scores.v, seq, scores.kv_heads)?,
    };
    let tiles: Vec<Tile> = (0..batch * heads)
        .flat_map(|at| {
            let starts = (0..seq).step_by(TILE);
            starts.map(move |s| Tile { batch: at / heads, head: at % heads, queries: s..(s + TILE).min(seq) })
        })
        .collect();
    let work = |tile: &Tile| attend_tile(scores, &by_head, tile);
    let done: Vec<Vec<f32>> = if rayon::current_num_threads() > 1 {
        tiles.par_iter().map(work).collect::<MoeResult<_>>()?
    } else {
        tiles.iter().map(work).collect::<MoeResult<_>>()?
    };
    let width = heads * value_dim;
    let mut out = vec![0f32; batch * seq * width];
    for (tile, values) in tiles.iter().zip(&done) {
        let first = tile.batch * seq + tile.queries.start;
        for (row, values) in (first..).zip(values.chunks_exact(value_dim.max(1))) {
            let at = row * width + tile.head * value_dim;
            out.get_mut(at..at + value_dim).unwrap_or_default().copy_from_slice(values);
        }
    }
    Array::of_tensor(Tensor::from_vec(out, (batch * seq, width), by_head.q.device())?)
}

/// One tile, `[queries, value_dim]`.
fn attend_tile(scores: &Scores<'_>, by_head: &ByHead, tile: &Tile) -> MoeResult<Vec<f32>> {
    let kv_head = tile.head / (scores.heads / scores.kv_heads.max(1)).max(1);
    let (len, head) = ([scores.lens.get(tile.batch).copied().unwrap_or(scores.seq)], tile.head);
    let (first_key, keys) = key_range(scores.visible, &len, scores.seq, &tile.queries);
    let head_of = |t: &Tensor, head: usize, start: usize, count: usize| {
        t.get(tile.batch)?.get(head)?.narrow(0, start, count)
    };
    let q = head_of(&by_head.q, head, tile.queries.start, tile.queries.len())?;
    let (k, v) =
        (head_of(&by_head.k, kv_head, first_key, keys)?, head_of(&by_head.v, kv_head, first_key, keys)?);
    let block = ScoreBlock {
        visible: scores.visible,
        lens: &len,
        heads: 1,
        queries: tile.queries.clone(),
        first_key,
        scale: scores.scale,
        sinks: scores.sinks.map(|s| s.get(head..=head).unwrap_or_default()),
    };
    Ok(block.softmax_in_place(q.matmul(&k.t()?)?)?.matmul(&v)?.flatten_all()?.to_vec1()?)
}
