//! One decoder layer.

use super::array::Array;
use super::forward_context::ForwardContext;
use super::layers::{Attention, LatentAttention, Mlp, MoeBlock, Norm};
use crate::moe::error::{MoeError, MoeResult};

/// The part that mixes positions.
#[derive(Debug)]
pub(super) enum AttentionKind {
    Attention(Attention),
    Latent(LatentAttention),
}

impl AttentionKind {
    fn forward(&self, x: &Array, ctx: &ForwardContext<'_>) -> MoeResult<Array> {
        match self {
            Self::Attention(attention) => attention.forward(x, ctx),
            Self::Latent(attention) => attention.forward(x, ctx),
        }
    }
}

/// The part that works on each position.
#[derive(Debug)]
pub(super) enum FeedForward {
    Dense(Mlp),
    MoeBlock(Box<MoeBlock>),
}

impl FeedForward {
    pub fn moe(block: MoeBlock) -> Self {
        Self::MoeBlock(Box::new(block))
    }
}

/// How the two parts join the residual stream.
#[derive(Debug)]
pub(super) enum Residual {
    /// `h = x + a * attention(n1 x)`, `y = h + a * feed_forward(n2 h)`; `a` is 1 but for MiniCPM and Granite.
    Sequential { norm: Norm, feed_forward_norm: Norm, multiplier: f64 },
    /// `y = x + attention(n x) + feed_forward(n x)` (Phi-2).
    Parallel { norm: Norm },
}

/// One decoder layer.
#[derive(Debug)]
pub(super) struct Block {
    pub attention: AttentionKind,
    pub feed_forward: FeedForward,
    pub residual: Residual,
}

impl Block {
    /// The usual layer: two norms, no multiplier.
    pub fn sequential(
        attention: AttentionKind,
        feed_forward: FeedForward,
        norm: Norm,
        feed_forward_norm: Norm,
    ) -> Self {
        Self {
            attention,
            feed_forward,
            residual: Residual::Sequential { norm, feed_forward_norm, multiplier: 1.0 },
        }
    }

    /// Experts and k of its gate.
    pub fn gate_sizes(&self) -> Option<(usize, usize)> {
        match &self.feed_forward {
            FeedForward::MoeBlock(moe) => Some((moe.experts.len(), moe.top_k())),
            FeedForward::Dense(_) => None,
        }
    }

    /// `[B * S, H]` to the same shape.
    pub fn forward(&self, layer: usize, x: &Array, ctx: &mut ForwardContext<'_>) -> MoeResult<Array> {
        let on = ctx.on;
        let mut done = Err(MoeError::Cancelled);
        on.layer(&mut || done = self.forward_here(layer, x, ctx));
        done
    }

    fn forward_here(&self, layer: usize, x: &Array, ctx: &mut ForwardContext<'_>) -> MoeResult<Array> {
        let on = ctx.on;
        match &self.residual {
            Residual::Sequential { norm, feed_forward_norm, multiplier } => {
                let mixed = self.attention.forward(&on.norm(x, norm)?, ctx)?;
                let h = on.add(mixed, *multiplier, x)?;
                let fed = self.feed_forward(layer, &on.norm(&h, feed_forward_norm)?, ctx)?;
                on.add(fed, *multiplier, &h)
            }
            Residual::Parallel { norm } => {
                let n = on.norm(x, norm)?;
                let mixed = self.attention.forward(&n, ctx)?;
                let both = on.add(mixed, 1.0, &self.feed_forward(layer, &n, ctx)?)?;
                on.add(both, 1.0, x)
            }
        }
    }

    fn feed_forward(&self, layer: usize, x: &Array, ctx: &mut ForwardContext<'_>) -> MoeResult<Array> {
        let on = ctx.on;
        if let Some(inputs) = &mut ctx.feed_inputs {
            inputs.insert(layer, on.values(x)?);
        }
        match &self.feed_forward {
            FeedForward::Dense(mlp) => on.feed(mlp, x),
            FeedForward::MoeBlock(moe) => moe.forward(x, ctx),
        }
    }
}
