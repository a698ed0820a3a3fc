//! What one model architecture says of itself: the form that every file of a model fills in.

use super::block::Block;
use super::layers::Norm;
use super::source::WeightSource;
use crate::moe::error::MoeResult;

/// One model architecture.
pub(super) struct BackboneFamily {
    /// The name shown and written to JSON.
    pub name: &'static str,
    /// Values of `model_type` that mean it.
    pub model_types: &'static [&'static str],
    /// What the class of transformers assumes of keys that a config.json leaves out, as a JSON object. Sizes that
    /// every file states are not among them: their absence is an error.
    pub defaults: &'static str,
    /// What MoE-LLaVA makes of it; absent for models that are MoE models already.
    pub upcycling: Option<Upcycling>,
    /// The tensor of the token embeddings.
    pub embedding: &'static str,
    pub block: fn(&WeightSource<'_>, usize) -> MoeResult<Block>,
    pub ends: fn(&WeightSource<'_>) -> MoeResult<ModelEnds>,
}

/// How MoE-LLaVA's conversion of a dense model is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::moe) struct Upcycling {
    /// Prefix of the MLP tensors of layer `{}`.
    pub(super) mlp_prefix: &'static str,
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

/// What a family says about the ends of the model.
#[derive(Debug)]
pub(super) struct ModelEnds {
    pub embedding_multiplier: f64,
    /// MiniCPM scales token embeddings only where no features are mixed in.
    pub unscaled_beside_features: bool,
    pub norm: fn(&WeightSource<'_>) -> MoeResult<Norm>,
    /// Whether the head has a bias.
    pub head_bias: bool,
    pub logit_multiplier: f64,
}
