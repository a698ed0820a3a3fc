//! Phi-2: attention and MLP in parallel after one layer norm, partial rotary, biases everywhere.

use super::block::{AttentionKind, Block, Residual};
use super::family::{BackboneFamily, ModelEnds, Upcycling};
use super::layers::{HeadNorm, Mlp, Pairing};
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::rope::Rope;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "phi",
    model_types: &["phi", "moe_llava_phi", "llava_phi"],
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_phi",
        class: "MoELLaVAPhiForCausalLM",
    }),
    embedding: "model.embed_tokens.weight",
    block,
    ends,
    defaults: r#"{"hidden_act": "gelu_new"}"#,
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("layer_norm_eps", 1e-5)?);
    let intermediate = config.size("intermediate_size")?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "dense", true, true)?;
    attention.rope = Some((Rope::read(config, 0.5)?, Pairing::Halves));
    if config.flag_or("qk_layernorm", false)? {
        let head_dim = attention.head_dim;
        let norm = |name: &str| source.layer_norm(&format!("{prefix}.self_attn.{name}"), head_dim, eps);
        attention.norm = HeadNorm::BeforeRotary { query: norm("q_layernorm")?, key: norm("k_layernorm")? };
    }
    Ok(Block {
        attention: AttentionKind::Attention(attention),
        feed_forward: source
            .feed_forward(layer, &format!("{prefix}.mlp"), |s, p| mlp(s, p, hidden, intermediate))?,
        residual: Residual::Parallel {
            norm: source.layer_norm(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        },
    })
}

/// `fc2(gelu_new(fc1 x))`.
fn mlp(source: &WeightSource<'_>, prefix: &str, hidden: usize, intermediate: usize) -> MoeResult<Mlp> {
    Ok(Mlp::Plain {
        fc1: source.linear(&format!("{prefix}.fc1"), intermediate, hidden, true)?,
        fc2: source.linear(&format!("{prefix}.fc2"), hidden, intermediate, true)?,
        activation: source.activation()?,
    })
}

fn ends(source: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    Ok(ModelEnds {
        embedding_multiplier: 1.0,
        unscaled_beside_features: false,
        norm: |source| {
            let eps = source.config.float_or("layer_norm_eps", 1e-5)?;
            source.layer_norm("model.final_layernorm", source.config.size("hidden_size")?, eps)
        },
        // The dense class has a bias on its head; MoE-LLaVA's class drops it.
        head_bias: source.upcycled.moe().is_none(),
        logit_multiplier: 1.0,
    })
}
