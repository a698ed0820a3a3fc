//! The models, in candle: the only module of `moe` that names a tensor type.
//!
//! One file a model. Each says which tensors make a layer and which parts of [`layers`] they form; the
//! residual stream, batching, embeddings and logits are the same for all ([`model`]). Weights are
//! computed with in f32 whatever the file's dtype. Routing decisions are never taken here: logits go to
//! the host, to [`crate::moe::gating`] or [`crate::moe::router`].

mod block;
mod device;
mod forward_context;
mod kernels;
mod layers;
mod model;
mod source;
mod stream;
mod vector;

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

pub use device::{Device, DeviceChoice, DeviceState, device_list};
pub use forward_context::{LayerRouting, NoiseSource};
pub use model::{Forward, ForwardOptions, Gates, InputRow, LoadOptions, Model, WantedLogits};
pub use source::Conversion;
pub(super) use source::{default_bias, default_linear, gate_rows};
pub use stream::for_each_feed_input;

use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::moe_llava::MoeConfig;
use block::Block;
use model::ModelEnds;
use source::Source;

/// One model architecture.
struct Family {
    /// The name shown and written to JSON.
    name: &'static str,
    /// Values of `model_type` that mean it.
    model_types: &'static [&'static str],
    /// What the class of transformers assumes of keys that a config.json leaves out, as a JSON object. Sizes that
    /// every file states are not among them: their absence is an error.
    defaults: &'static str,
    /// What MoE-LLaVA makes of it; absent for models that are mixtures already.
    upcycling: Option<Upcycling>,
    /// The tensor of the token embeddings.
    embedding: &'static str,
    block: fn(&Source<'_>, usize) -> MoeResult<Block>,
    ends: fn(&Source<'_>) -> MoeResult<ModelEnds>,
}

/// How MoE-LLaVA's conversion of a dense model is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upcycling {
    /// Prefix of the MLP tensors of layer `{}`.
    mlp_prefix: &'static str,
    /// `model_type` of the result.
    pub model_type: &'static str,
    /// `architectures` of the result.
    pub class: &'static str,
}

impl Upcycling {
    /// The prefix of the MLP tensors of `layer`.
    pub fn mlp_prefix(&self, layer: usize) -> String {
        self.mlp_prefix.replace("{}", &layer.to_string())
    }
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

/// True for a model that MoE-LLaVA could convert: a backbone of the guide without `config.moe`.
///
/// # Errors
/// An unknown `model_type`, a broken `moe`.
pub fn is_dense(config: &Config) -> MoeResult<bool> {
    Ok(family(config)?.upcycling.is_some() && MoeConfig::read(config)?.is_none())
}

/// How a dense model is converted.
///
/// # Errors
/// The model is a mixture already.
pub(super) fn upcycling(config: &Config) -> MoeResult<Upcycling> {
    let family = family(config)?;
    family.upcycling.ok_or_else(|| {
        let name = family.name;
        MoeError::Request(format!("{name} is a mixture already; only dense models are converted"))
    })
}

impl From<candle_core::Error> for MoeError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute { while_doing: "running the model".into(), message: error.to_string() }
    }
}
