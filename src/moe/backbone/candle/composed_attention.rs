//! Attention on candle's other devices: all heads at once, block of queries by block of queries.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::common::by_head;
use super::softmax::{ScoreBlock, key_range};
use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::Scores;
use crate::moe::error::MoeResult;

/// Elements of the score matrix held at a time (64 MiB): queries are taken in blocks.
const SCORES: usize = 1 << 24;

pub(super) fn attend(scores: &Scores<'_>) -> MoeResult<Array> {
    let (heads, kv_heads, seq) = (scores.heads, scores.kv_heads, scores.seq);
    let q = by_head(&scores.q, seq, heads)?;
    let (k, v) = (by_head(&scores.k, seq, kv_heads)?, by_head(&scores.v, seq, kv_heads)?);
    let batch = q.dim(0)?;
    let step = (SCORES / (batch * heads * seq).max(1)).clamp(16, 256);
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < seq {
        let queries = start..(start + step).min(seq);
        start = queries.end;
        blocks.push(attend_block(scores, [&q, &k, &v], queries)?);
    }
    let out = if let [one] = blocks.as_slice() { one.clone() } else { Tensor::cat(&blocks, 2)? };
    Array::of_tensor(out.transpose(1, 2)?.contiguous()?.reshape((batch * seq, ()))?)
}

fn attend_block(scores: &Scores<'_>, [q, k, v]: [&Tensor; 3], queries: Range<usize>) -> Result<Tensor> {
    let (batch, heads, _, dim) = q.dims4()?;
    let (_, kv_heads, _, value_dim) = v.dims4()?;
    let count = queries.len();
    let (first_key, keys) = key_range(scores.visible, scores.lens, scores.seq, &queries);
    // Heads that share a key head are neighbours, so their queries stack into one matrix.
    let group = heads / kv_heads * count;
    let q = q.narrow(2, queries.start, count)?.contiguous()?.reshape((batch * kv_heads, group, dim))?;
    let part = |t: &Tensor, width: usize| {
        t.narrow(2, first_key, keys)?.contiguous()?.reshape((batch * kv_heads, keys, width))
    };
    let (k, v) = (part(k, dim)?, part(v, value_dim)?);
    let block = ScoreBlock {
        visible: scores.visible,
        lens: scores.lens,
        heads,
        queries,
        first_key,
        scale: scores.scale,
        sinks: scores.sinks,
    };
    let probs = block.softmax(&q.matmul(&k.transpose(1, 2)?)?)?;
    probs.matmul(&v)?.reshape((batch, heads, count, value_dim))
}
