//! Grouped-query attention with everything the supported models vary: biases, query-key norms, partial
//! rotary, windows, chunks, sinks, clipping and query scaling.

use std::ops::Range;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::super::kernels::on_host;
use super::softmax::ScoreBlock;
use super::{AttentionMask, Linear, Norm, Pairing};
use crate::moe::backbone::forward_context::ForwardContext;
use crate::moe::rope::Rope;

/// Elements of the score matrix held at a time (64 MiB) on a GPU: queries are taken in blocks.
const SCORES: usize = 1 << 24;
/// Queries of one tile on the CPU: with 2,048 keys its scores take 512 KiB.
const TILE: usize = 64;

/// Some queries of one head of one sequence.
#[derive(Debug)]
struct Tile {
    batch: usize,
    head: usize,
    queries: Range<usize>,
}

/// Normalisation of queries and keys.
#[derive(Debug)]
pub(in crate::moe::backbone) enum HeadNorm {
    None,
    /// Before the rotation; over a head or over the whole projection, as wide as the norm's weight.
    BeforeRotary {
        query: Norm,
        key: Norm,
    },
    /// After it (Llama 4).
    AfterRotary(Norm),
}

/// Factors on queries that depend on the position.
#[derive(Debug)]
pub(in crate::moe::backbone) enum QueryScale {
    None,
    /// Qwen v1: log base seq_length of the 1-based position, beyond seq_length.
    LogN {
        seq_length: usize,
    },
    /// Llama 4 without rotary: ln(1 + floor((i + 1) / floor_scale)) * attn_scale + 1.
    Temperature {
        floor_scale: f32,
        attn_scale: f32,
    },
}

/// The four projections.
#[derive(Debug)]
pub(in crate::moe::backbone) struct AttentionKeys {
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
}

/// One attention block.
#[derive(Debug)]
pub(in crate::moe::backbone) struct Attention {
    pub projections: AttentionKeys,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub head_dim: usize,
    /// Factor on the scores, 1 / sqrt(head_dim) but for Granite.
    pub scale: f32,
    pub rope: Option<(Rope, Pairing)>,
    pub norm: HeadNorm,
    pub visible: AttentionMask,
    pub sinks: Option<Vec<f32>>,
    pub clip_qkv: Option<f64>,
    pub query_scale: QueryScale,
}

impl Attention {
    /// `[B * S, H]` to `[B * S, H]`.
    pub fn forward(&self, x: &Tensor, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        let mut q = self.clip(self.projections.q.forward(x)?, matches!(self.norm, HeadNorm::None))?;
        let mut k = self.clip(self.projections.k.forward(x)?, matches!(self.norm, HeadNorm::None))?;
        let v = self.clip(self.projections.v.forward(x)?, true)?;
        if let HeadNorm::BeforeRotary { query, key } = &self.norm {
            q = self.clip(query.forward(&q)?, true)?;
            k = self.clip(key.forward(&k)?, true)?;
        }
        let heads = |t: Tensor, n: usize| t.reshape((ctx.batch, ctx.seq, n, self.head_dim));
        let (mut q, mut k) = (heads(q, self.num_heads)?, heads(k, self.num_kv_heads)?);
        let v = heads(v, self.num_kv_heads)?;
        if let Some((rope, pairing)) = &self.rope {
            let rotary = ctx.rotary(rope, self.head_dim, *pairing)?;
            q = rotary.forward(&q)?;
            k = rotary.forward(&k)?;
        }
        if let HeadNorm::AfterRotary(norm) = &self.norm {
            q = norm.forward(&q)?;
            k = norm.forward(&k)?;
        }
        q = self.scale_queries(q, ctx)?;
        let by_head = |t: &Tensor| t.transpose(1, 2)?.contiguous();
        let scores = Scores {
            visible: &self.visible,
            scale: self.scale,
            sinks: self.sinks.as_deref(),
            q: by_head(&q)?,
            k: by_head(&k)?,
            v: by_head(&v)?,
        };
        self.projections.o.forward(&scores.attend(ctx)?)
    }

    fn clip(&self, t: Tensor, now: bool) -> Result<Tensor> {
        match self.clip_qkv {
            Some(limit) if now => t.clamp(-limit, limit),
            _ => Ok(t),
        }
    }

    fn scale_queries(&self, q: Tensor, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        let factor = |i: usize| match self.query_scale {
            QueryScale::None => 1.0,
            QueryScale::LogN { seq_length } if i + 1 > seq_length && seq_length > 1 => {
                (((i + 1) as f64).ln() / (seq_length as f64).ln()) as f32
            }
            QueryScale::LogN { .. } => 1.0,
            QueryScale::Temperature { floor_scale, attn_scale } => {
                ((i as f32 + 1.0) / floor_scale).floor().ln_1p() * attn_scale + 1.0
            }
        };
        let factors: Vec<f32> = (0..ctx.seq).map(factor).collect();
        if factors.iter().all(|&f| f == 1.0) {
            return Ok(q);
        }
        q.broadcast_mul(&Tensor::from_vec(factors, (1, ctx.seq, 1, 1), q.device())?)
    }
}

/// Scaled dot-product attention over `[B, heads, S, dim]`, keys and values possibly with fewer heads.
pub(super) struct Scores<'a> {
    pub visible: &'a AttentionMask,
    pub scale: f32,
    pub sinks: Option<&'a [f32]>,
    pub q: Tensor,
    pub k: Tensor,
    pub v: Tensor,
}

impl Scores<'_> {
    /// To `[B * S, heads * value_dim]`.
    pub fn attend(&self, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        if on_host(&self.q) { self.attend_by_tiles(ctx) } else { self.attend_by_blocks(ctx) }
    }

    /// On the CPU: a tile is one head and [`TILE`] queries against the keys that they see, so that its scores
    /// stay in the cache from the first product to the second, and the half above the diagonal is never made.
    fn attend_by_tiles(&self, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        let (batch, heads, seq, _) = self.q.dims4()?;
        let value_dim = self.v.dim(3)?;
        let tiles: Vec<Tile> = (0..batch * heads)
            .flat_map(|at| {
                let starts = (0..seq).step_by(TILE);
                starts.map(move |s| Tile {
                    batch: at / heads,
                    head: at % heads,
                    queries: s..(s + TILE).min(seq),
                })
            })
            .collect();
        let work = |tile: &Tile| self.tile(ctx.lens, seq, tile);
        let done: Vec<Vec<f32>> = if rayon::current_num_threads() > 1 {
            tiles.par_iter().map(work).collect::<Result<_>>()?
        } else {
            tiles.iter().map(work).collect::<Result<_>>()?
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
        Tensor::from_vec(out, (batch * seq, width), self.q.device())
    }

    /// One tile, `[queries, value_dim]`.
    fn tile(&self, lens: &[usize], seq: usize, tile: &Tile) -> Result<Vec<f32>> {
        let kv_head = tile.head / (self.q.dim(1)? / self.v.dim(1)?).max(1);
        let (len, head) = ([lens.get(tile.batch).copied().unwrap_or(seq)], tile.head);
        let (first_key, keys) = self.key_range(&len, seq, &tile.queries);
        let head_of = |t: &Tensor, head: usize, start: usize, count: usize| {
            t.get(tile.batch)?.get(head)?.narrow(0, start, count)
        };
        let q = head_of(&self.q, head, tile.queries.start, tile.queries.len())?;
        let (k, v) =
            (head_of(&self.k, kv_head, first_key, keys)?, head_of(&self.v, kv_head, first_key, keys)?);
        let sinks = self.sinks.map(|s| s.get(head..=head).unwrap_or_default());
        let block = ScoreBlock {
            visible: self.visible,
            lens: &len,
            heads: 1,
            queries: tile.queries.clone(),
            first_key,
            scale: self.scale,
            sinks,
        };
        block.softmax(q.matmul(&k.t()?)?)?.matmul(&v)?.flatten_all()?.to_vec1()
    }

    /// On other devices: all heads at once, block of queries by block of queries.
    fn attend_by_blocks(&self, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        let (batch, heads, seq, _) = self.q.dims4()?;
        let per_query = (batch * heads * seq).max(1);
        let step = (SCORES / per_query).clamp(16, 256);
        let mut blocks = Vec::new();
        let mut start = 0;
        while start < seq {
            let queries = start..(start + step).min(seq);
            start = queries.end;
            blocks.push(self.block(ctx, queries)?);
        }
        let out = if let [one] = blocks.as_slice() { one.clone() } else { Tensor::cat(&blocks, 2)? };
        out.transpose(1, 2)?.contiguous()?.reshape((batch * seq, ()))
    }

    /// First key and number of keys that some query of the block sees; all keys where one sees none.
    fn key_range(&self, lens: &[usize], seq: usize, queries: &Range<usize>) -> (usize, usize) {
        let shortest = lens.iter().copied().min().unwrap_or(0);
        // Windows end later for later queries: if one is empty, the last one is.
        if self.visible.keys(queries.end.saturating_sub(1), shortest).is_empty() {
            return (0, seq);
        }
        let first_key = self.visible.keys(queries.start, shortest).start;
        (first_key, queries.end - first_key)
    }

    fn block(&self, ctx: &ForwardContext<'_>, queries: Range<usize>) -> Result<Tensor> {
        let (batch, heads, _, dim) = self.q.dims4()?;
        let (_, kv_heads, _, value_dim) = self.v.dims4()?;
        let count = queries.len();
        let (first_key, keys) = self.key_range(ctx.lens, ctx.seq, &queries);
        // Heads that share a key head are neighbours, so their queries stack into one matrix.
        let group = heads / kv_heads * count;
        let q =
            self.q.narrow(2, queries.start, count)?.contiguous()?.reshape((batch * kv_heads, group, dim))?;
        let part = |t: &Tensor, width: usize| {
            t.narrow(2, first_key, keys)?.contiguous()?.reshape((batch * kv_heads, keys, width))
        };
        let (k, v) = (part(&self.k, dim)?, part(&self.v, value_dim)?);
        let block = ScoreBlock {
            visible: self.visible,
            lens: ctx.lens,
            heads,
            queries,
            first_key,
            scale: self.scale,
            sinks: self.sinks,
        };
        let probs = block.softmax(q.matmul(&k.transpose(1, 2)?)?)?;
        probs.matmul(&v)?.reshape((batch, heads, count, value_dim))
    }
}
