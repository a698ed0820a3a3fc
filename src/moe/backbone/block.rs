//! One decoder layer.

use candle_core::{Result, Tensor};

use super::kernels::add;
use super::layers::{Attention, LatentAttention, Mixture, Mlp, Norm};
use super::pass::Pass;
use crate::moe::error::MoeResult;

/// The part that mixes positions.
#[derive(Debug)]
pub(super) enum Mixer {
    Attention(Attention),
    Latent(LatentAttention),
}

impl Mixer {
    fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        match self {
            Self::Attention(attention) => attention.forward(x, pass),
            Self::Latent(attention) => attention.forward(x, pass),
        }
    }
}

/// The part that works on each position.
#[derive(Debug)]
pub(super) enum Feed {
    Dense(Mlp),
    Mixture(Mixture),
}

/// How the two parts join the residual stream.
#[derive(Debug)]
pub(super) enum Joint {
    /// `h = x + a * mixer(n1 x)`, `y = h + a * feed(n2 h)`; `a` is 1 but for MiniCPM and Granite.
    Sequential { norm: Norm, feed_norm: Norm, multiplier: f64 },
    /// `y = x + mixer(n x) + feed(n x)` (Phi-2).
    Parallel { norm: Norm },
}

/// One decoder layer.
#[derive(Debug)]
pub(super) struct Block {
    pub mixer: Mixer,
    pub feed: Feed,
    pub joint: Joint,
}

impl Block {
    /// The usual layer: two norms, no multiplier.
    pub fn sequential(mixer: Mixer, feed: Feed, norm: Norm, feed_norm: Norm) -> Self {
        Self { mixer, feed, joint: Joint::Sequential { norm, feed_norm, multiplier: 1.0 } }
    }

    /// `[B * S, H]` to the same shape.
    pub fn forward(&self, layer: usize, x: &Tensor, pass: &mut Pass<'_>) -> MoeResult<Tensor> {
        if x.device().is_cpu() {
            // Inside rayon's pool a parallel step costs no sleep and no wake of this thread.
            return rayon::scope(|_| self.forward_here(layer, x, pass));
        }
        self.forward_here(layer, x, pass)
    }

    fn forward_here(&self, layer: usize, x: &Tensor, pass: &mut Pass<'_>) -> MoeResult<Tensor> {
        match &self.joint {
            Joint::Sequential { norm, feed_norm, multiplier } => {
                let mixed = self.mixer.forward(&norm.forward(x)?, pass)?;
                let h = add_scaled(mixed, *multiplier, x)?;
                let fed = self.feed(layer, &feed_norm.forward(&h)?, pass)?;
                Ok(add_scaled(fed, *multiplier, &h)?)
            }
            Joint::Parallel { norm } => {
                let n = norm.forward(x)?;
                let mixed = self.mixer.forward(&n, pass)?;
                let both = add(mixed, &self.feed(layer, &n, pass)?)?;
                Ok(add(both, x)?)
            }
        }
    }

    fn feed(&self, layer: usize, x: &Tensor, pass: &mut Pass<'_>) -> MoeResult<Tensor> {
        if let Some(inputs) = &mut pass.feed_inputs {
            inputs.insert(layer, x.flatten_all()?.to_vec1()?);
        }
        match &self.feed {
            Feed::Dense(mlp) => Ok(mlp.forward(x)?),
            Feed::Mixture(mixture) => mixture.forward(x, pass),
        }
    }
}

/// `y * multiplier + x`; `y` has no other holder.
fn add_scaled(y: Tensor, multiplier: f64, x: &Tensor) -> Result<Tensor> {
    add(if multiplier == 1.0 { y } else { (y * multiplier)? }, x)
}
