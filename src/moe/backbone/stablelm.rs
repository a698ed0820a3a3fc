//! StableLM-2 (stablelm_epoch): Llama with layer norms, partial rotary and optional biases on queries, keys
//! and values.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, ModelEnds, Upcycling};
use super::layers::Pairing;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::rope::Rope;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "stablelm",
    model_types: &["stablelm", "stablelm_epoch", "moe_llava_stablelm", "llava_stablelm"],
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_stablelm",
        class: "MoELLaVAStablelmForCausalLM",
    }),
    embedding: "model.embed_tokens.weight",
    block,
    ends,
    defaults: r#"{"max_position_embeddings": 4096}"#,
};

/// `norm_eps` in the hub's class, `layer_norm_eps` in transformers'.
fn eps(source: &WeightSource<'_>) -> MoeResult<f64> {
    source.config.float_or("norm_eps", source.config.float_or("layer_norm_eps", 1e-5)?)
}

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    for key in ["use_parallel_residual", "qk_layernorm"] {
        if config.flag_or(key, false)? {
            return Err(config.error(key, "is true; only false is supported for StableLM"));
        }
    }
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, eps(source)?);
    let intermediate = config.size("intermediate_size")?;
    // The hub's class and transformers' own differ in the default; the tensors tell.
    let has_bias = source.has(&format!("{prefix}.self_attn.q_proj.bias"));
    let bias = config.flag_or("use_qkv_bias", has_bias)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, false)?;
    attention.rope = Some((Rope::read(config, 0.25)?, Pairing::Halves));
    let feed_forward =
        source.feed_forward(layer, &format!("{prefix}.mlp"), |s, p| s.gated_mlp(p, intermediate))?;
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        feed_forward,
        source.layer_norm(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.layer_norm(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

fn ends(_: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    Ok(ModelEnds {
        embedding_multiplier: 1.0,
        unscaled_beside_features: false,
        norm: |source| source.layer_norm("model.norm", source.config.size("hidden_size")?, eps(source)?),
        head_bias: false,
        logit_multiplier: 1.0,
    })
}
