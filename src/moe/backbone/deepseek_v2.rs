//! DeepSeek-V2: latent attention, group-limited softmax routing, shared experts.

use super::block::{AttentionKind, Block, FeedForward};
use super::family::BackboneFamily;
use super::layers::{LatentAttention, Pairing, SharedExpert};
use super::source::WeightSource;
use super::{llama, qwen2_moe};
use crate::moe::error::MoeResult;
use crate::moe::rope::Rope;
use crate::moe::router::{Groups, Router};

pub(super) const FAMILY: BackboneFamily = BackboneFamily {
    name: "deepseek_v2",
    model_types: &["deepseek_v2"],
    block,
    upcycling: None,
    defaults: r#"{"n_routed_experts": 64, "n_shared_experts": 2, "moe_intermediate_size": 1407,
        "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}"#,
    ..llama::FAMILY
};

fn block(source: &WeightSource<'_>, layer: usize) -> MoeResult<Block> {
    let router = |source: &WeightSource<'_>| {
        let config = source.config;
        let groups = match config.text("topk_method")?.unwrap_or("greedy") {
            "greedy" => None,
            "group_limited_greedy" => Some(groups(source)?),
            other => {
                let known = "greedy, group_limited_greedy";
                return Err(config.error("topk_method", format!("{other:?} is not known here ({known})")));
            }
        };
        let routed_scaling_factor = config.float_or("routed_scaling_factor", 1.0)? as f32;
        Ok(Router::GroupLimitedSoftmax { groups, routed_scaling_factor })
    };
    layer_with(source, layer, Pairing::Neighbours, router)
}

/// `n_group` and `topk_group`.
pub(super) fn groups(source: &WeightSource<'_>) -> MoeResult<Groups> {
    let size = |key: &str| -> MoeResult<usize> { Ok(source.config.opt_size(key)?.unwrap_or(1)) };
    Ok(Groups { n_group: size("n_group")?, topk_group: size("topk_group")? })
}

/// A DeepSeek layer with the given router in its MoE layers.
pub(super) fn layer_with(
    source: &WeightSource<'_>,
    layer: usize,
    pairing: Pairing,
    router: impl Fn(&WeightSource<'_>) -> MoeResult<Router>,
) -> MoeResult<Block> {
    let config = source.config;
    let prefix = format!("model.layers.{layer}");
    let (hidden, eps) = (config.size("hidden_size")?, config.float_or("rms_norm_eps", 1e-6)?);
    let first_moe = config.index_or_zero("first_k_dense_replace")?;
    let frequency = config.opt_size("moe_layer_freq")?.unwrap_or(1);
    let feed_forward = if layer >= first_moe && layer.is_multiple_of(frequency) {
        let intermediate = config.size("moe_intermediate_size")?;
        let mut block = qwen2_moe::moe_block(source, layer, intermediate, router(source)?)?;
        if let Some(shared) = config.opt_size("n_shared_experts")? {
            let mlp = source.gated_mlp(&format!("{prefix}.mlp.shared_experts"), shared * intermediate)?;
            block.shared_expert = SharedExpert::Shared(mlp);
        }
        FeedForward::moe(block)
    } else {
        FeedForward::Dense(source.gated_mlp(&format!("{prefix}.mlp"), config.size("intermediate_size")?)?)
    };
    Ok(Block::sequential(
        AttentionKind::Latent(latent_attention(source, &format!("{prefix}.self_attn"), pairing)?),
        feed_forward,
        source.rms(&format!("{prefix}.input_layernorm"), hidden, eps)?,
        source.rms(&format!("{prefix}.post_attention_layernorm"), hidden, eps)?,
    ))
}

fn latent_attention(source: &WeightSource<'_>, prefix: &str, pairing: Pairing) -> MoeResult<LatentAttention> {
    let config = source.config;
    let (hidden, heads, _) = source.heads()?;
    let bias = config.flag_or("attention_bias", false)?;
    let nope = config.size("qk_nope_head_dim")?;
    let rot = config.size("qk_rope_head_dim")?;
    let v_head_dim = config.size("v_head_dim")?;
    let rank = config.size("kv_lora_rank")?;
    // The class default of RMS norm, whatever rms_norm_eps says.
    let latent_eps = 1e-6;
    let name = |part: &str| format!("{prefix}.{part}");
    let q_width = heads * (nope + rot);
    let (q_down, q_up) = match config.opt_size("q_lora_rank")? {
        Some(q_rank) => (
            Some((
                source.linear(&name("q_a_proj"), q_rank, hidden, bias)?,
                source.rms(&name("q_a_layernorm"), q_rank, latent_eps)?,
            )),
            source.linear(&name("q_b_proj"), q_width, q_rank, false)?,
        ),
        None => (None, source.linear(&name("q_proj"), q_width, hidden, false)?),
    };
    let rope = Rope::read(config, 1.0)?;
    let scale = ((nope + rot) as f64).sqrt().recip() * rope.attention_scale_factor();
    Ok(LatentAttention {
        q_down,
        q_up,
        kv_down: source.linear(&name("kv_a_proj_with_mqa"), rank + rot, hidden, bias)?,
        kv_norm: source.rms(&name("kv_a_layernorm"), rank, latent_eps)?,
        kv_up: source.linear(&name("kv_b_proj"), heads * (nope + v_head_dim), rank, false)?,
        o: source.linear(&name("o_proj"), hidden, heads * v_head_dim, bias)?,
        num_heads: heads,
        kv_lora_rank: rank,
        qk_nope_head_dim: nope,
        qk_rope_head_dim: rot,
        v_head_dim,
        scale: scale as f32,
        rope,
        pairing,
    })
}
