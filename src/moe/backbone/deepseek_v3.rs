//! DeepSeek-V3: V2 with sigmoid routing on biased scores.

use super::block::Block;
use super::layers::Pairing;
use super::source::Source;
use super::{Family, MoeResult, deepseek_v2, llama};
use crate::moe::router::Router;

pub(super) const FAMILY: Family =
    Family { name: "deepseek_v3", model_types: &["deepseek_v3"], block, upcycling: None, ..llama::FAMILY };

fn block(source: &Source<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let interleave = config.flag_or("rope_interleave", true)?;
    let pairing = if interleave { Pairing::Neighbours } else { Pairing::Halves };
    let router = |source: &Source<'_>| {
        let config = source.config;
        let name = format!("model.layers.{layer}.mlp.gate.e_score_correction_bias");
        Ok(Router::GroupLimitedSigmoid {
            groups: deepseek_v2::groups(source)?,
            e_score_correction_bias: source.vector(&name, source.num_experts()?)?,
            norm_topk_prob: config.flag_or("norm_topk_prob", true)?,
            routed_scaling_factor: config.float_or("routed_scaling_factor", 1.0)? as f32,
        })
    };
    deepseek_v2::layer_with(source, layer, pairing, router)
}
