//! Llama: RMS norms, grouped-query attention without biases, SwiGLU.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, ModelEnds, Upcycling};
use super::source::WeightSource;
use crate::moe::error::MoeResult;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "llama",
    model_types: &["llama", "moe_llava_llama", "llava_llama"],
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_llama",
        class: "MoELLaVALlamaForCausalLM",
    }),
    embedding: "model.embed_tokens.weight",
    block,
    ends,
    defaults: "{}",
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let bias = source.config.flag_or("attention_bias", false)?;
    layer_with(source, layer, bias, bias)
}

/// A Llama layer with or without attention biases.
pub(super) fn layer_with(
    source: &WeightSource<'_>,
    layer: usize,
    qkv_bias: bool,
    o_bias: bool,
) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-6)?);
    let intermediate = config.size("intermediate_size")?;
    let attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", qkv_bias, o_bias)?;
    let feed_forward =
        source.feed_forward(layer, &format!("{prefix}.mlp"), |s, p| s.gated_mlp(p, intermediate))?;
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        feed_forward,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

/// `model.embed_tokens`, `model.norm` (RMS), `lm_head`.
pub(super) fn ends(_: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    Ok(ModelEnds {
        embedding_multiplier: 1.0,
        unscaled_beside_features: false,
        norm: |source| {
            let eps = source.config.float_or("rms_norm_eps", 1e-6)?;
            source.rms("model.norm", source.config.size("hidden_size")?, eps)
        },
        head_bias: false,
        logit_multiplier: 1.0,
    })
}
