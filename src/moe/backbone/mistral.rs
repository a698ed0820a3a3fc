//! Mistral: Llama with a sliding window.

use super::block::{AttentionKind, Block};
use super::family::{BackboneFamily, Upcycling};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "mistral",
    model_types: &["mistral", "moe_llava_mistral", "llava_mistral"],
    block,
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_mistral",
        class: "MoELLaVAMistralForCausalLM",
    }),
    defaults: r#"{"sliding_window": 4096, "max_position_embeddings": 131072}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let mut block = llama::layer_with(source, layer, false, false)?;
    if let AttentionKind::Attention(attention) = &mut block.attention {
        attention.visible.window = source.config.opt_size("sliding_window")?;
    }
    Ok(block)
}
