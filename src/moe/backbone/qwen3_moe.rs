//! Qwen3-MoE: query-key norms per head, no shared expert.

use super::block::{AttentionKind, Block};
use super::family::BackboneFamily;
use super::layers::{HeadNorm, SharedExpert};
use super::source::WeightSource;
use super::{llama, qwen2_moe};
use crate::moe::error::MoeResult;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "qwen3_moe",
    model_types: &["qwen3_moe"],
    block,
    upcycling: None,
    defaults: r#"{"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768,
        "sliding_window": 4096, "max_position_embeddings": 32768}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-6)?);
    let bias = config.flag_or("attention_bias", false)?;
    let mut attention = source.attention(&format!("{prefix}.self_attn"), "o_proj", bias, bias)?;
    let norm = |name: &str| source.rms(&format!("{prefix}.self_attn.{name}"), attention.head_dim, eps);
    attention.norm = HeadNorm::BeforeRotary { query: norm("q_norm")?, key: norm("k_norm")? };
    if config.flag_or("use_sliding_window", false)? {
        attention.visible.window = config.opt_size("sliding_window")?;
    }
    Ok(Block::sequential(
        AttentionKind::Attention(attention),
        qwen2_moe::feed_forward(source, layer, false, |_, _| Ok(SharedExpert::Nothing))?,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}
