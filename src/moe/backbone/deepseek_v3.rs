//! DeepSeek-V3: V2 with sigmoid routing on biased scores.

use super::block::Block;
use super::family::BackboneFamily;
use super::layers::Pairing;
use super::source::WeightSource;
use super::{deepseek_v2, llama};
use crate::moe::error::MoeResult;
use crate::moe::router::Router;

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "deepseek_v3",
    model_types: &["deepseek_v3"],
    block,
    upcycling: None,
    defaults: r#"{"n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8,
        "moe_intermediate_size": 2048, "n_group": 8, "topk_group": 4, "first_k_dense_replace": 3,
        "routed_scaling_factor": 2.5, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 4096}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let config = source.config;
    let interleave = config.flag_or("rope_interleave", true)?;
    let pairing = if interleave { Pairing::Neighbours } else { Pairing::Halves };
    let router = |source: &WeightSource<'_>| {
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
