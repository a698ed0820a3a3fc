//! Which models there are: a new one is a file of its own and a line in [`FAMILIES`].

use super::family::{BackboneFamily, Upcycling};
use super::{
    deepseek_v2, deepseek_v3, gpt_oss, granitemoe, llama, llama4, minicpm, mistral, mixtral, olmoe, phi,
    phimoe, qwen, qwen2, qwen2_moe, qwen3_moe, stablelm,
};
use crate::moe::config::Config;
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::moe_llava::MoeConfig;

/// All models.
const FAMILIES: [&BackboneFamily; 17] = [
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
pub(super) fn family(config: &Config) -> MoeResult<&'static BackboneFamily> {
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
/// The model is an MoE model already.
pub(in crate::moe) fn upcycling(config: &Config) -> MoeResult<Upcycling> {
    let family = family(config)?;
    family.upcycling.ok_or_else(|| {
        let name = family.name;
        MoeError::Request(format!("{name} is an MoE model already; only dense models are converted"))
    })
}
