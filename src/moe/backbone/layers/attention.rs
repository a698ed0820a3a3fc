//! Grouped-query attention with everything the supported models vary: biases, query-key norms, partial
//! rotary, windows, chunks, sinks, clipping and query scaling.

use super::{AttentionMask, Linear, Norm, Pairing};
use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::{Compute, Scores};
use crate::moe::backbone::forward_context::ForwardContext;
use crate::moe::error::MoeResult;
use crate::moe::rope::Rope;

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
    pub fn forward(&self, x: &Array, ctx: &ForwardContext<'_>) -> MoeResult<Array> {
        let on = ctx.on;
        let plain = matches!(self.norm, HeadNorm::None);
        let mut q = self.clip(on, on.linear(x, &self.projections.q)?, plain)?;
        let mut k = self.clip(on, on.linear(x, &self.projections.k)?, plain)?;
        let v = self.clip(on, on.linear(x, &self.projections.v)?, true)?;
        if let HeadNorm::BeforeRotary { query, key } = &self.norm {
            q = self.clip(on, on.norm(&q, query)?, true)?;
            k = self.clip(on, on.norm(&k, key)?, true)?;
        }
        if let Some((rope, pairing)) = &self.rope {
            let rotary = ctx.rotary(rope, self.head_dim, *pairing)?;
            q = on.rotate(q, self.num_heads, 0, &rotary)?;
            k = on.rotate(k, self.num_kv_heads, 0, &rotary)?;
        }
        if let HeadNorm::AfterRotary(norm) = &self.norm {
            q = on.norm(&q, norm)?;
            k = on.norm(&k, norm)?;
        }
        let scores = Scores {
            visible: &self.visible,
            scale: self.scale,
            sinks: self.sinks.as_deref(),
            lens: ctx.lens,
            seq: ctx.seq,
            heads: self.num_heads,
            kv_heads: self.num_kv_heads,
            q: self.scale_queries(q, ctx)?,
            k,
            v,
        };
        on.linear(&on.attend(&scores)?, &self.projections.o)
    }

    fn clip(&self, on: &dyn Compute, x: Array, now: bool) -> MoeResult<Array> {
        match self.clip_qkv {
            Some(limit) if now => on.clamp(x, limit),
            _ => Ok(x),
        }
    }

    fn scale_queries(&self, q: Array, ctx: &ForwardContext<'_>) -> MoeResult<Array> {
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
        ctx.on.scale_positions(q, factors)
    }
}
