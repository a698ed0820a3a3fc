//! Mixtral: Mistral with MoE in every layer; also the byte-level sample.

use std::sync::Arc;

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::{MoeBlock, Routing, SharedExpert};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "mixtral",
    model_types: &["mixtral"],
    block,
    upcycling: None,
    defaults: r#"{"num_local_experts": 8, "num_experts_per_tok": 2, "rope_theta": 1e6, "max_position_embeddings": 131072}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-5)?);
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", false, false)?;
    attention.visible.window = config.opt_size("sliding_window")?;
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        moe_block(source, layer, Router::SoftmaxTopK { norm_topk_prob: true })?,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

/// `block_sparse_moe` with experts `w1` (gate), `w3` (up), `w2` (down).
pub(super) fn moe_block(source: &WeightSource<'_>, layer: usize, router: Router) -> MoeResult<FeedForward> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}.block_sparse_moe");
    let (hidden, intermediate) = (config.size("hidden_size")?, config.size("intermediate_size")?);
    let num_experts = source.num_experts()?;
    let expert =
        |e: usize| source.gated_mlp_named(&format!("{prefix}.experts.{e}"), intermediate, ["w1", "w3", "w2"]);
    Ok(FeedForward::moe(MoeBlock {
        layer,
        gate: source.linear(&format!("{prefix}.gate"), num_experts, hidden, false)?,
        routing: Routing::Transformers { router, top_k: source.top_k(num_experts)? },
        replaced: None,
        experts: (0..num_experts).map(|e| Ok(Arc::new(expert(e)?))).collect::<MoeResult<_>>()?,
        shared_expert: SharedExpert::Nothing,
    }))
}
