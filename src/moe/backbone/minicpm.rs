//! MiniCPM: Llama with scaled embeddings, residuals and logits.

use super::block::{Block, Residual};
use super::family::{BackboneFamily, ModelEnds, Upcycling};
use super::llama;
use super::source::WeightSource;
use crate::moe::error::MoeResult;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "minicpm",
    model_types: &["minicpm", "moe_llava_minicpm", "llava_minicpm"],
    block,
    ends,
    upcycling: Some(Upcycling {
        mlp_prefix: "model.layers.{}.mlp",
        model_type: "moe_llava_minicpm",
        class: "MoELLaVAMiniCPMForCausalLM",
    }),
    ..llama::FAMILY
};

/// Residual branches are multiplied by scale_depth / sqrt(num_hidden_layers).
fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let bias = config.flag_or("attention_bias", false)?;
    let mut block = llama::layer_with(source, layer, bias, bias)?;
    if let Residual::Sequential { multiplier, .. } = &mut block.residual {
        *multiplier = config.float_or("scale_depth", 1.0)? / (config.layers()? as f64).sqrt();
    }
    Ok(block)
}

/// Embeddings times scale_emb, logits over hidden_size / dim_model_base.
fn ends(source: &WeightSource<'_>) -> MoeResult<ModelEnds> {
    let config = source.config;
    let hidden = config.size("hidden_size")? as f64;
    let base = config.opt_size("dim_model_base")?.map_or(1.0, |b| b as f64);
    Ok(ModelEnds {
        embedding_multiplier: config.float_or("scale_emb", 1.0)?,
        unscaled_beside_features: true,
        logit_multiplier: base / hidden,
        ..llama::ends(source)?
    })
}
