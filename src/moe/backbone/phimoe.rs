//! PhiMoE (Phi-3.5-MoE): layer norms, biases, Mixtral's experts behind the sparse attention.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, ModelEnds};
use super::source::WeightSource;
use super::{llama, mixtral};
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "phimoe",
    model_types: &["phimoe"],
    block,
    ends,
    upcycling: None,
    defaults: r#"{"num_local_experts": 16, "num_experts_per_tok": 2, "rope_theta": 1e6,
        "max_position_embeddings": 131072}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-5)?);
    let bias = config.flag_or("attention_bias", false)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, bias)?;
    attention.visible.window = config.opt_size("sliding_window")?;
    let jitter_eps = config.float_or("router_jitter_noise", 0.01)? as f32;
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        mixtral::moe_block(source, layer, Router::SparseMixer { jitter_eps })?,
        source.layer_norm(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.layer_norm(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

fn ends(source: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    Ok(ModelEnds {
        norm: |source| {
            let eps = source.config.float_or("rms_norm_eps", 1e-5)?;
            source.layer_norm("model.norm", source.config.size("hidden_size")?, eps)
        },
        head_bias: source.config.flag_or("lm_head_bias", false)?,
        ..llama::ends(source)?
    })
}
