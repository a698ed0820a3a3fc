//! One decoder layer.

use candle_core::{Result, Tensor};

use super::forward_context::ForwardContext;
use super::kernels::{add, on_host};
use super::layers::{Attention, LatentAttention, Mlp, MoeBlock, Norm};
use crate::moe::error::MoeResult;

/// The part that mixes positions.
#[derive(Debug)]
pub(super) enum AttentionKind {
    Attention(Attention),
    Latent(LatentAttention),
}

impl AttentionKind {
    fn forward(&self, x: &Tensor, ctx: &ForwardContext<'_>) -> Result<Tensor> {
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
    MoeBlock(MoeBlock),
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

    /// `[B * S, H]` to the same shape.
    pub fn forward(&self, layer: usize, x: &Tensor, ctx: &mut ForwardContext<'_>) -> MoeResult<Tensor> {
        if on_host(x) {
            // Inside rayon's pool a parallel step costs no sleep and no wake of this thread.
            return rayon::scope(|_| self.forward_here(layer, x, ctx));
        }
        self.forward_here(layer, x, ctx)
    }

    fn forward_here(&self, layer: usize, x: &Tensor, ctx: &mut ForwardContext<'_>) -> MoeResult<Tensor> {
        match &self.residual {
            Residual::Sequential { norm, feed_forward_norm, multiplier } => {
                let mixed = self.attention.forward(&norm.forward(x)?, ctx)?;
                let h = add_scaled(mixed, *multiplier, x)?;
                let fed = self.feed_forward(layer, &feed_forward_norm.forward(&h)?, ctx)?;
                Ok(add_scaled(fed, *multiplier, &h)?)
            }
            Residual::Parallel { norm } => {
                let n = norm.forward(x)?;
                let mixed = self.attention.forward(&n, ctx)?;
                let both = add(mixed, &self.feed_forward(layer, &n, ctx)?)?;
                Ok(add(both, x)?)
            }
        }
    }

    fn feed_forward(&self, layer: usize, x: &Tensor, ctx: &mut ForwardContext<'_>) -> MoeResult<Tensor> {
        if let Some(inputs) = &mut ctx.feed_inputs {
            inputs.insert(layer, x.flatten_all()?.to_vec1()?);
        }
        match &self.feed_forward {
            FeedForward::Dense(mlp) => Ok(mlp.forward(x)?),
            FeedForward::MoeBlock(moe) => moe.forward(x, ctx),
        }
    }
}

/// `y * multiplier + x`; `y` has no other holder.
fn add_scaled(y: Tensor, multiplier: f64, x: &Tensor) -> Result<Tensor> {
    add(if multiplier == 1.0 { y } else { (y * multiplier)? }, x)
}
