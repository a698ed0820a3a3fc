//! gpt-oss: attention sinks, alternating windows, biased router, fused interleaved experts.

use std::sync::Arc;

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::{Activation, Linear, Mlp, MoeBlock, Routing, SharedExpert, WeightForm};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "gpt_oss",
    model_types: &["gpt_oss"],
    block,
    upcycling: None,
    defaults: r#"{"num_local_experts": 128, "num_experts_per_tok": 4, "head_dim": 64, "sliding_window": 128,
        "rope_theta": 150000.0, "max_position_embeddings": 131072, "rope_parameters": {"rope_type": "yarn",
        "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
        "original_max_position_embeddings": 4096}}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-5)?);
    let bias = config.flag_or("attention_bias", true)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, bias)?;
    attention.sinks = Some(source.vector(&format!("{prefix}.self_attn.sinks"), attention.num_heads)?);
    let sliding = match config.text_at("layer_types", layer)? {
        Some(kind) => kind == "sliding_attention",
        None => layer.is_multiple_of(2),
    };
    if sliding {
        attention.visible.window = config.opt_size("sliding_window")?;
    }
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        FeedForward::moe(moe_block(source, layer)?),
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

fn moe_block(source: &WeightSource<'_>, layer: usize) -> MoeResult<MoeBlock> {
    let prefix = format!("model.layers.{layer}.mlp");
    let hidden = source.config.size("hidden_size")?;
    let num_experts = source.num_experts()?;
    Ok(MoeBlock {
        layer,
        gate: source.linear(&format!("{prefix}.router"), num_experts, hidden, true)?,
        routing: Routing::Transformers { router: Router::TopKSoftmax, top_k: source.top_k(num_experts)? },
        replaced: None,
        experts: (0..num_experts)
            .map(|e| Ok(Arc::new(expert(source, &format!("{prefix}.experts"), e, num_experts)?)))
            .collect::<MoeResult<_>>()?,
        shared_expert: SharedExpert::Nothing,
    })
}

/// Expert `e` of `gate_up_proj [E, H, 2I]` (gate in even, up in odd columns) and `down_proj [E, I, H]`.
fn expert(source: &WeightSource<'_>, prefix: &str, e: usize, num_experts: usize) -> MoeResult<Mlp> {
    let config = source.config;
    let (hidden, width) = (config.size("hidden_size")?, config.size("intermediate_size")?);
    let fused = source.slice(&format!("{prefix}.gate_up_proj"), e, [num_experts, hidden, 2 * width])?;
    let name = source.name(&format!("{prefix}.gate_up_proj_bias"));
    source.checkpoint.expect_shape(&name, &[num_experts, 2 * width])?;
    let fused_bias = source.checkpoint.f32_rows(&name, e, 1)?;
    let name = source.name(&format!("{prefix}.down_proj_bias"));
    source.checkpoint.expect_shape(&name, &[num_experts, hidden])?;
    let down_bias = source.checkpoint.f32_rows(&name, e, 1)?;
    let down = source.slice(&format!("{prefix}.down_proj"), e, [num_experts, width, hidden])?;
    let half = |odd: usize| -> MoeResult<Linear> {
        let columns = |values: &[f32]| values.iter().skip(odd).step_by(2).copied().collect::<Vec<f32>>();
        source.store(columns(&fused), (width, hidden), WeightForm::InOut, Some(columns(&fused_bias)))
    };
    Ok(Mlp::Gated {
        gate: half(0)?,
        up: half(1)?,
        down: source.store(down, (hidden, width), WeightForm::InOut, Some(down_bias))?,
        activation: Activation::ClampedSwiGlu {
            alpha: config.float_or("swiglu_alpha", 1.702)? as f32,
            limit: config.float_or("swiglu_limit", 7.0)?.abs() as f32,
        },
    })
}
