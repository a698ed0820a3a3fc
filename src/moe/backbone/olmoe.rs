//! OLMoE: query-key norms over the whole projection, optional clipping, MoE in every layer.

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::HeadNorm;
use super::source::WeightSource;
use super::{llama, qwen2_moe};
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "olmoe",
    model_types: &["olmoe"],
    block,
    upcycling: None,
    defaults: r#"{"num_experts": 64, "num_experts_per_tok": 8, "max_position_embeddings": 4096}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-5)?);
    let bias = config.flag_or("attention_bias", false)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, bias)?;
    let norm = |name: &str, heads: usize| {
        source.rms(&format!("{prefix}.self_attn.{name}"), heads * attention.head_dim, eps)
    };
    attention.norm = HeadNorm::BeforeRotary {
        query: norm("q_norm", attention.num_heads)?,
        key: norm("k_norm", attention.num_kv_heads)?,
    };
    if config.has("clip_qkv") {
        attention.clip_qkv = Some(config.float_or("clip_qkv", 0.0)?.abs());
    }
    let router = Router::SoftmaxTopK { norm_topk_prob: config.flag_or("norm_topk_prob", false)? };
    let block = qwen2_moe::moe_block(source, layer, config.size("intermediate_size")?, router)?;
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        FeedForward::moe(block),
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}
