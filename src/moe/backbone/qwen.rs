//! Qwen v1 (the custom class of the hub): fused attention projection, silu on w2, NTK and log-n scaling
//! beyond `seq_length`.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, ModelEnds, Upcycling};
use super::layers::{
    Attention, AttentionKeys, AttentionMask, HeadNorm, Linear, Mlp, Pairing, QueryScale, WeightForm,
};
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::rope::Rope;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "qwen",
    model_types: &["qwen", "moe_llava_qwen", "llava_qwen"],
    upcycling: Some(Upcycling {
        mlp_prefix: "transformer.h.{}.mlp",
        model_type: "moe_llava_qwen",
        class: "MoELLaVAQWenForCausalLM",
    }),
    embedding: "transformer.wte.weight",
    block,
    ends,
    defaults: "{}",
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    if !config.flag_or("no_bias", true)? {
        return Err(config.error("no_bias", "is false; only true is supported for Qwen v1"));
    }
    let prefix = format!("transformer.h.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("layer_norm_epsilon", 1e-6)?);
    // The config's intermediate_size counts w1 and w2 together.
    let intermediate = config.size("intermediate_size")? / 2;
    if intermediate == 0 {
        return Err(config.error("intermediate_size", "is 1: w1 and w2 need half of it each"));
    }
    let feed_forward =
        source.feed_forward(layer, &format!("{prefix}.mlp"), |s, p| mlp(s, p, intermediate))?;
    Ok(Block::sequential(
        AttentionKind::Attention(attention(source, &format!("{prefix}.attn"))?),
        feed_forward,
        source.rms(&format!("{prefix}.ln_1"), hidden, eps)?,
        source.rms(&format!("{prefix}.ln_2"), hidden, eps)?,
    ))
}

/// `c_proj(w1(x) * silu(w2(x)))`.
fn mlp(source: &WeightSource<'_>, prefix: &str, intermediate: usize) -> MoeResult<Mlp> {
    source.gated_mlp_named(prefix, intermediate, ["w2", "w1", "c_proj"])
}

fn attention(source: &WeightSource<'_>, prefix: &str) -> MoeResult<Attention> {
    let config = source.config;
    let (hidden, heads, _) = source.heads()?;
    let head_dim = match config.opt_size("kv_channels")? {
        Some(dim) => dim,
        None => config.head_dim()?,
    };
    let width = heads * head_dim;
    let weight = source.tensor(&format!("{prefix}.c_attn.weight"), &[3 * width, hidden])?;
    let bias = source.tensor(&format!("{prefix}.c_attn.bias"), &[3 * width])?;
    let third = |n: usize| -> MoeResult<Linear> {
        let part = |values: &[f32], row: usize| {
            values.get(n * width * row..(n + 1) * width * row).unwrap_or_default().to_vec()
        };
        source.store(part(&weight, hidden), (width, hidden), WeightForm::OutIn, Some(part(&bias, 1)))
    };
    let seq_length = config.opt_size("seq_length")?.unwrap_or(2048);
    let query_scale = if config.flag_or("use_logn_attn", true)? {
        QueryScale::LogN { seq_length }
    } else {
        QueryScale::None
    };
    Ok(Attention {
        projections: AttentionKeys {
            q: third(0)?,
            k: third(1)?,
            v: third(2)?,
            o: source.linear(&format!("{prefix}.c_proj"), hidden, width, false)?,
        },
        num_heads: heads,
        num_kv_heads: heads,
        head_dim,
        scale: (head_dim as f32).sqrt().recip(),
        rope: Some((Rope::read_qwen_v1(config)?, Pairing::Halves)),
        norm: HeadNorm::None,
        visible: AttentionMask::default(),
        sinks: None,
        clip_qkv: None,
        query_scale,
    })
}

fn ends(_: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    Ok(ModelEnds {
        embedding_multiplier: 1.0,
        unscaled_beside_features: false,
        norm: |source| {
            let eps = source.config.float_or("layer_norm_epsilon", 1e-6)?;
            source.rms("transformer.ln_f", source.config.size("hidden_size")?, eps)
        },
        head_bias: false,
        logit_multiplier: 1.0,
    })
}
