//! DeepSeek's multi-head latent attention: queries and key-values through low-rank projections, with a
//! rotated part shared by all heads.

use super::{AttentionMask, Linear, Norm, Pairing};
use crate::moe::backbone::array::Array;
use crate::moe::backbone::compute::{HeadPart, Scores};
use crate::moe::backbone::forward_context::ForwardContext;
use crate::moe::error::MoeResult;
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
    pub fn forward(&self, x: &Array, ctx: &ForwardContext<'_>) -> MoeResult<Array> {
        let (on, heads) = (ctx.on, self.num_heads);
        let (nope, rot) = (self.qk_nope_head_dim, self.qk_rope_head_dim);
        let rotary = ctx.rotary(&self.rope, rot, self.pairing)?;

        let q = match &self.q_down {
            Some((down, norm)) => on.linear(&on.norm(&on.linear(x, down)?, norm)?, &self.q_up)?,
            None => on.linear(x, &self.q_up)?,
        };
        let q = on.rotate(q, heads, nope, &rotary)?;

        let latent = on.linear(x, &self.kv_down)?;
        let columns = |start, width| on.regroup(1, &[HeadPart { array: &latent, heads: 1, start, width }]);
        let k_rot = on.rotate(columns(self.kv_lora_rank, rot)?, 1, 0, &rotary)?;
        let kv = on.linear(&on.norm(&columns(0, self.kv_lora_rank)?, &self.kv_norm)?, &self.kv_up)?;
        let of_kv = |start, width| HeadPart { array: &kv, heads, start, width };
        let shared = HeadPart { array: &k_rot, heads: 1, start: 0, width: rot };
        let scores = Scores {
            visible: &AttentionMask::default(),
            scale: self.scale,
            sinks: None,
            lens: ctx.lens,
            seq: ctx.seq,
            heads,
            kv_heads: heads,
            q,
            k: on.regroup(heads, &[of_kv(0, nope), shared])?,
            v: on.regroup(heads, &[of_kv(nope, self.v_head_dim)])?,
        };
        on.linear(&on.attend(&scores)?, &self.o)
    }
}
