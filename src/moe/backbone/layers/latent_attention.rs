//! DeepSeek's multi-head latent attention: queries and key-values through low-rank projections, with a
//! rotated part shared by all heads.

use candle_core::{D, Result, Tensor};

use super::attention::Scores;
use super::{AttentionMask, Linear, Norm, Pairing};
use crate::moe::backbone::forward_context::ForwardContext;
use crate::moe::rope::Rope;

/// One latent attention block. Dimensions: see the config keys of the same names.
#[derive(Debug)]
pub(in crate::moe::backbone) struct LatentAttention {
    /// `q_a_proj`, its norm, and `q_b_proj`; or `q_proj` alone where `q_lora_rank` is absent.
    pub q_down: Option<(Linear, Norm)>,
    pub q_up: Linear,
    /// `kv_a_proj_with_mqa`: to kv_lora_rank + qk_rope_head_dim.
    pub kv_down: Linear,
    pub kv_norm: Norm,
    /// `kv_b_proj`: to heads × (qk_nope_head_dim + v_head_dim).
    pub kv_up: Linear,
    pub o: Linear,
    pub num_heads: usize,
    pub kv_lora_rank: usize,
    pub qk_nope_head_dim: usize,
    pub qk_rope_head_dim: usize,
    pub v_head_dim: usize,
    pub scale: f32,
    pub rope: Rope,
    pub pairing: Pairing,
}

impl LatentAttention {
    /// `[B * S, H]` to `[B * S, H]`.
    pub fn forward(&self, x: &Tensor, ctx: &ForwardContext<'_>) -> Result<Tensor> {
        let (batch, seq, heads) = (ctx.batch, ctx.seq, self.num_heads);
        let (nope, rot) = (self.qk_nope_head_dim, self.qk_rope_head_dim);
        let rotary = ctx.rotary(&self.rope, rot, self.pairing)?;

        let q = match &self.q_down {
            Some((down, norm)) => self.q_up.forward(&norm.forward(&down.forward(x)?)?)?,
            None => self.q_up.forward(x)?,
        };
        let q = q.reshape((batch, seq, heads, nope + rot))?;
        let q_rot = rotary.forward(&q.narrow(D::Minus1, nope, rot)?)?;
        let q = Tensor::cat(&[q.narrow(D::Minus1, 0, nope)?, q_rot], D::Minus1)?;

        let latent = self.kv_down.forward(x)?;
        let kv = latent.narrow(D::Minus1, 0, self.kv_lora_rank)?.contiguous()?;
        let k_rot = latent.narrow(D::Minus1, self.kv_lora_rank, rot)?.contiguous()?;
        let k_rot = rotary.forward(&k_rot.reshape((batch, seq, 1, rot))?)?;
        let kv = self.kv_up.forward(&self.kv_norm.forward(&kv)?)?;
        let kv = kv.reshape((batch, seq, heads, nope + self.v_head_dim))?;
        let k_rot = k_rot.broadcast_as((batch, seq, heads, rot))?;
        let k = Tensor::cat(&[kv.narrow(D::Minus1, 0, nope)?, k_rot], D::Minus1)?;
        let v = kv.narrow(D::Minus1, nope, self.v_head_dim)?;

        let by_head = |t: &Tensor| t.transpose(1, 2)?.contiguous();
        let scores = Scores {
            visible: &AttentionMask::default(),
            scale: self.scale,
            sinks: None,
            q: by_head(&q)?,
            k: by_head(&k)?,
            v: by_head(&v)?,
        };
        self.o.forward(&scores.attend(ctx)?)
    }
}
