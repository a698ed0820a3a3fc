//! Llama 4 (text): interleaved rotary in chunked layers, none in the others, weights on the expert's input,
//! a shared expert.

use std::sync::Arc;

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::{
    Attention, HeadNorm, Linear, Mlp, MoeBlock, Norm, Pairing, QueryScale, Routing, SharedExpert, WeightForm,
};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "llama4",
    model_types: &["llama4_text", "llama4"],
    block,
    upcycling: None,
    defaults: r#"{"num_local_experts": 16, "num_experts_per_tok": 1, "intermediate_size_mlp": 16384,
        "head_dim": 128, "rope_theta": 500000.0, "attention_chunk_size": 8192, "max_position_embeddings": 131072}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-5)?);
    let step = config.opt_size("interleave_moe_layer_step")?.unwrap_or(1);
    let is_moe = match config.indices("moe_layers")? {
        Some(layers) => layers.contains(&layer),
        None => (layer + 1).is_multiple_of(step),
    };
    let feed_forward = if is_moe {
        FeedForward::moe(moe_block(source, layer)?)
    } else {
        let width = config.size("intermediate_size_mlp")?;
        FeedForward::Dense(source.gated_mlp(&format!("{prefix}.feed_forward"), width)?)
    };
    Ok(Block::sequential(
        AttentionKind::Attention(attention(source, layer)?),
        feed_forward,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

/// Whether a layer has rotary positions: `no_rope_layers` holds 1 where it has (the key's name misleads);
/// by default every `no_rope_layer_interval`-th has none.
fn uses_rope(source: &WeightSource<'_>, layer: usize) -> MoeResult<bool> {
    let config = source.config;
    let listed = config.indices("no_rope_layers")?.filter(|list| !list.is_empty());
    match listed {
        Some(list) => list
            .get(layer)
            .map(|&flag| flag != 0)
            .ok_or_else(|| config.error("no_rope_layers", format!("has no entry for layer {layer}"))),
        None => {
            let interval = config.opt_size("no_rope_layer_interval")?.unwrap_or(4);
            Ok(!(layer + 1).is_multiple_of(interval))
        }
    }
}

fn attention(source: &WeightSource<'_>, layer: usize) -> MoeResult<Attention> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}.self_attn");
    let bias = config.flag_or("attention_bias", false)?;
    let mut attention = source.attention(&prefix, "o_proj", bias, bias)?;
    let rotary = uses_rope(source, layer)?;
    let chunked = match config.text_at("layer_types", layer)? {
        Some(kind) => kind == "chunked_attention",
        None => rotary,
    };
    if chunked {
        attention.visible.chunk = config.opt_size("attention_chunk_size")?;
    }
    if rotary {
        attention.rope = attention.rope.take().map(|(rope, _)| (rope, Pairing::Neighbours));
        if config.flag_or("use_qk_norm", true)? {
            let eps = config.float_or("rms_norm_eps", 1e-5)? as f32;
            attention.norm = HeadNorm::AfterRotary(Norm::L2 { width: attention.head_dim, eps });
        }
    } else {
        attention.rope = None;
        if config.truth_or("attn_temperature_tuning", true)? {
            attention.query_scale = QueryScale::Temperature {
                floor_scale: config.opt_size("floor_scale")?.unwrap_or(8192) as f32,
                attn_scale: config.float_or("attn_scale", 0.1)? as f32,
            };
        }
    }
    Ok(attention)
}

/// `feed_forward.experts.gate_up_proj [E, H, 2I]` (gate half, up half), `down_proj [E, I, H]`.
fn moe_block(source: &WeightSource<'_>, layer: usize) -> MoeResult<MoeBlock> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}.feed_forward");
    let (hidden, width) = (config.size("hidden_size")?, config.size("intermediate_size")?);
    let num_experts = source.num_experts()?;
    let expert = |e: usize| -> MoeResult<Arc<Mlp>> {
        let input = [num_experts, hidden, 2 * width];
        let fused = source.slice(&format!("{prefix}.experts.gate_up_proj"), e, input)?;
        let half = |at: usize| -> MoeResult<Linear> {
            let halves = fused.chunks_exact(width).skip(at).step_by(2);
            source.store(halves.flatten().copied().collect(), (width, hidden), WeightForm::InOut, None)
        };
        let down = source.slice(&format!("{prefix}.experts.down_proj"), e, [num_experts, width, hidden])?;
        Ok(Arc::new(Mlp::Gated {
            gate: half(0)?,
            up: half(1)?,
            down: source.store(down, (hidden, width), WeightForm::InOut, None)?,
            activation: source.activation()?,
        }))
    };
    Ok(MoeBlock {
        layer,
        gate: source.linear(&format!("{prefix}.router"), num_experts, hidden, false)?,
        routing: Routing::Transformers { router: Router::SigmoidInput, top_k: source.top_k(num_experts)? },
        replaced: None,
        experts: (0..num_experts).map(expert).collect::<MoeResult<_>>()?,
        shared_expert: SharedExpert::Shared(source.gated_mlp(&format!("{prefix}.shared_expert"), width)?),
    })
}
