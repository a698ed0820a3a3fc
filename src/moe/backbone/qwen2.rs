//! Qwen1.5 and Qwen2: Llama with biases on queries, keys and values, often a tied head.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, Upcycling};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "qwen2",
    model_types: &["qwen2", "moe_llava_qwen1_5", "llava_qwen1_5", "moe_llava_qwen2"],
    block,
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_qwen1_5",
        class: "MoELLaVAQwen1_5ForCausalLM",
    }),
    defaults: r#"{"sliding_window": 4096, "max_window_layers": 28, "max_position_embeddings": 32768}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let mut block = llama::layer_with(source, layer, true, false)?;
    if let AttentionKind::Attention(attention) = &mut block.attention {
        attention.visible.window = window(source, layer)?;
    }
    Ok(block)
}

/// The window of a layer: by `layer_types` (v5), else from `max_window_layers` on (v4).
fn window(source: &WeightSource<'_>, layer: usize) -> MoeResult<Option<usize>> {
    let config = source.config;
    if !config.flag_or("use_sliding_window", false)? {
        return Ok(None);
    }
    let sliding = match config.text_at("layer_types", layer)? {
        Some(kind) => kind == "sliding_attention",
        None => layer >= config.index_or_zero("max_window_layers")?,
    };
    if sliding { config.opt_size("sliding_window") } else { Ok(None) }
}
