//! GraniteMoe: Llama with multipliers on embeddings, attention, residuals and logits, fused experts.

use std::sync::Arc;

use super::block::{AttentionKind, Block, FeedForward, Residual};
use super::family::{BackboneFamily, ModelEnds};
use super::layers::{Mlp, MoeBlock, Routing, SharedExpert, WeightForm};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "granitemoe",
    model_types: &["granitemoe"],
    block,
    ends,
    upcycling: None,
    defaults: r#"{"num_local_experts": 8, "num_experts_per_tok": 2}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-6)?);
    let bias = config.flag_or("attention_bias", false)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, bias)?;
    attention.scale = config.float_or("attention_multiplier", 1.0)? as f32;
    Ok(Block {
        attention: AttentionKind::Attention(attention),
        feed_forward: FeedForward::moe(moe_block(source, layer)?),
        residual: Residual::Sequential {
            norm: source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
            feed_forward_norm: source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
            multiplier: config.float_or("residual_multiplier", 1.0)?,
        },
    })
}

/// `input_linear [E, 2I, H]` (gate half, up half) and `output_linear [E, H, I]`.
fn moe_block(source: &WeightSource<'_>, layer: usize) -> MoeResult<MoeBlock> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}.block_sparse_moe");
    let (hidden, width) = (config.size("hidden_size")?, config.size("intermediate_size")?);
    let num_experts = source.num_experts()?;
    let expert = |e: usize| -> MoeResult<Arc<Mlp>> {
        let input = [num_experts, 2 * width, hidden];
        let mut gate = source.slice(&format!("{prefix}.input_linear.weight"), e, input)?;
        let up = gate.split_off(gate.len() / 2);
        let output = [num_experts, hidden, width];
        let down = source.slice(&format!("{prefix}.output_linear.weight"), e, output)?;
        Ok(Arc::new(Mlp::Gated {
            gate: source.store(gate, (width, hidden), WeightForm::OutIn, None)?,
            up: source.store(up, (width, hidden), WeightForm::OutIn, None)?,
            down: source.store(down, (hidden, width), WeightForm::OutIn, None)?,
            activation: source.activation()?,
        }))
    };
    Ok(MoeBlock {
        layer,
        gate: source.linear(&format!("{prefix}.router.layer"), num_experts, hidden, false)?,
        routing: Routing::Transformers { router: Router::TopKSoftmax, top_k: source.top_k(num_experts)? },
        replaced: None,
        experts: (0..num_experts).map(expert).collect::<MoeResult<_>>()?,
        shared_expert: SharedExpert::Nothing,
    })
}

/// Embeddings times embedding_multiplier, logits divided by logits_scaling.
fn ends(source: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    let config = source.config;
    let scaling = config.float_or("logits_scaling", 1.0)?;
    if scaling == 0.0 {
        return Err(config.error("logits_scaling", "is 0"));
    }
    Ok(ModelEnds {
        embedding_multiplier: config.float_or("embedding_multiplier", 1.0)?,
        logit_multiplier: scaling.recip(),
        ..llama::ends(source)?
    })
}
