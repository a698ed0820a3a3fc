//! Qwen2-MoE: many small experts beside a gated shared one.

use std::sync::Arc;

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::{MoeBlock, Routing, SharedExpert};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "qwen2_moe",
    model_types: &["qwen2_moe"],
    block,
    upcycling: None,
    defaults: r#"{"num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408,
        "shared_expert_intermediate_size": 5632, "sliding_window": 4096, "max_window_layers": 28,
        "max_position_embeddings": 32768}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-6)?);
    let bias = config.flag_or("qkv_bias", true)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, false)?;
    // Without `layer_types` every other layer below max_window_layers has the window.
    let sliding = match config.text_at("layer_types", layer)? {
        Some(kind) => kind == "sliding_attention",
        None => layer.is_multiple_of(2) && layer < config.index_or_zero("max_window_layers")?,
    };
    if sliding && config.flag_or("use_sliding_window", false)? {
        attention.visible.window = config.opt_size("sliding_window")?;
    }
    let shared_expert = |source: &WeightSource<'_>, prefix: &str| {
        Ok(SharedExpert::GatedShared {
            mlp: source.gated_mlp(
                &format!("{prefix}.shared_expert"),
                source.config.size("shared_expert_intermediate_size")?,
            )?,
            gate: source.linear(&format!("{prefix}.shared_expert_gate"), 1, hidden, false)?,
        })
    };
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        feed_forward(source, layer, false, shared_expert)?,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

/// MoE iff the layer is not in `mlp_only_layers` and (layer + 1) % `decoder_sparse_step` == 0; else
/// a dense MLP of `intermediate_size`. `norm` is the class default of `norm_topk_prob`.
pub(super) fn feed_forward(
    source: &WeightSource<'_>,
    layer: usize,
    norm: bool,
    shared_expert: impl Fn(&WeightSource<'_>, &str) -> MoeResult<SharedExpert>,
) -> MoeResult<FeedForward> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}.mlp");
    let step = config.opt_size("decoder_sparse_step")?.unwrap_or(1);
    let dense = config.indices("mlp_only_layers")?.is_some_and(|list| list.contains(&layer));
    if dense || !(layer + 1).is_multiple_of(step) {
        return Ok(FeedForward::Dense(source.gated_mlp(&prefix, config.size("intermediate_size")?)?));
    }
    let router = Router::SoftmaxTopK { norm_topk_prob: config.flag_or("norm_topk_prob", norm)? };
    let intermediate = config.size("moe_intermediate_size")?;
    let mut block = moe_block(source, layer, intermediate, router)?;
    block.shared_expert = shared_expert(source, &prefix)?;
    Ok(FeedForward::moe(block))
}

/// `mlp.gate` and `mlp.experts.e.{gate,up,down}_proj`.
pub(super) fn moe_block(
    source: &WeightSource<'_>,
    layer: usize,
    intermediate: usize,
    router: Router,
) -> MoeResult<MoeBlock> {
    let prefix = format!("model.layers.{layer}.mlp");
    let hidden = source.config.size("hidden_size")?;
    let num_experts = source.num_experts()?;
    let expert = |e: usize| source.gated_mlp(&format!("{prefix}.experts.{e}"), intermediate);
    Ok(MoeBlock {
        layer,
        gate: source.linear(&format!("{prefix}.gate"), num_experts, hidden, false)?,
        routing: Routing::Transformers { router, top_k: source.top_k(num_experts)? },
        replaced: None,
        experts: (0..num_experts).map(|e| Ok(Arc::new(expert(e)?))).collect::<MoeResult<_>>()?,
        shared_expert: SharedExpert::Nothing,
    })
}
