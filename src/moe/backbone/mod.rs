//! The models, in candle: the only module of `moe` that names a tensor type.
//!
//! One file a model. Each says which tensors make a layer and which parts of [`layers`] they form; the
//! residual stream, batching, embeddings and logits are the same for all ([`model`]). Weights are
//! computed with in f32 whatever the file's dtype. Routing decisions are never taken here: logits go to
//! the host, to [`crate::moe::gating`] or [`crate::moe::router`].

mod block;
mod device;
mod kernels;
mod layers;
mod model;
mod pass;
mod source;

mod deepseek_v2;
mod deepseek_v3;
mod gpt_oss;
mod granitemoe;
mod llama;
mod llama4;
mod minicpm;
mod mistral;
mod mixtral;
mod olmoe;
mod phi;
mod phimoe;
mod qwen;
mod qwen2;
mod qwen2_moe;
mod qwen3_moe;
mod stablelm;

pub use device::{Device, DeviceChoice};
pub use model::{Forward, ForwardOptions, InputRow, LoadOptions, Model, WantedLogits};
pub use pass::{LayerRouting, NoiseSource};
pub use source::Conversion;
pub(super) use source::{default_bias, default_linear};

use super::config::Config;
use super::error::{MoeError, MoeResult};
use block::Block;
use model::Ends;
use source::Source;

/// One model architecture.
struct Family {
    /// The name shown and written to JSON.
    name: &'static str,
    /// Values of `model_type` that mean it.
    model_types: &'static [&'static str],
    /// Prefix of the MLP of layer `{}`, for models MoE-LLaVA can convert.
    mlp_prefix: &'static str,
    /// Whether it is dense, so that it can be converted.
    convertible: bool,
    /// The tensor of the token embeddings.
    embedding: &'static str,
    block: fn(&Source<'_>, usize) -> MoeResult<Block>,
    ends: fn(&Source<'_>) -> MoeResult<Ends>,
}

/// All models.
const FAMILIES: [&Family; 17] = [
    &llama::FAMILY,
    &mistral::FAMILY,
    &qwen2::FAMILY,
    &qwen::FAMILY,
    &phi::FAMILY,
    &stablelm::FAMILY,
    &minicpm::FAMILY,
    &mixtral::FAMILY,
    &qwen2_moe::FAMILY,
    &qwen3_moe::FAMILY,
    &olmoe::FAMILY,
    &phimoe::FAMILY,
    &deepseek_v2::FAMILY,
    &deepseek_v3::FAMILY,
    &gpt_oss::FAMILY,
    &granitemoe::FAMILY,
    &llama4::FAMILY,
];

/// The family of a config's `model_type`.
fn family(config: &Config) -> MoeResult<&'static Family> {
    let model_type = config.model_type()?;
    FAMILIES.into_iter().find(|f| f.model_types.contains(&model_type)).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().flat_map(|f| f.model_types).copied().collect();
        config
            .error("model_type", format!("{model_type:?} is not known here; known are {}", known.join(", ")))
    })
}

/// The prefix of the MLP tensors of `layer`, for models that can be converted.
pub(super) fn mlp_prefix(config: &Config, layer: usize) -> MoeResult<String> {
    let family = family(config)?;
    if !family.convertible {
        let name = family.name;
        return Err(MoeError::Request(format!(
            "{name} is a mixture already; only dense models are converted"
        )));
    }
    Ok(family.mlp_prefix.replace("{}", &layer.to_string()))
}

/// `model_type` of MoE-LLaVA's class for a dense model, e.g. `moe_llava_phi`.
pub(super) fn moe_llava_type(config: &Config) -> MoeResult<&'static str> {
    let types = family(config)?.model_types;
    types
        .iter()
        .copied()
        .find(|t| t.starts_with("moe_llava_"))
        .ok_or_else(|| config.error("model_type", "has no MoE-LLaVA class"))
}

impl From<candle_core::Error> for MoeError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute { while_doing: "running the model".into(), message: error.to_string() }
    }
}
