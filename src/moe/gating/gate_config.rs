//! What a DeepSpeed gate is configured with, and the random numbers of a call.

use super::decision::Logits;
use crate::moe::error::{MoeError, MoeResult};

/// Which tokens an expert with too many keeps when k > 2 (DeepSpeed 0.15+).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropPolicy {
    /// The C tokens with the highest probability.
    #[default]
    Probs,
    /// The first C tokens.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    Position,
}

/// What a DeepSpeed `TopKGate` is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct GateConfig {
    /// Choices per token.
    pub top_k: usize,
    /// `eval_capacity_factor` in eval mode, `capacity_factor` in training; per choice.
    pub capacity_factor: f64,
    /// Floor of the capacity.
    pub min_capacity: usize,
    /// `false`: the capacity grows to the fullest expert.
    pub drop_tokens: bool,
    /// Used when k > 2.
    pub drop_policy: DropPolicy,
}

impl GateConfig {
    /// A gate with DeepSpeed's defaults for everything MoE-LLaVA does not set.
    pub fn new(top_k: usize, capacity_factor: f64, min_capacity: usize) -> Self {
        Self { top_k, capacity_factor, min_capacity, drop_tokens: true, drop_policy: DropPolicy::Probs }
    }
}

/// The random numbers of one gate call, `[T, E]` row-major.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Noise<'a> {
    /// None: e2 is the second largest logit, top-1 admits the earliest tokens.
    #[default]
    Off,
    /// Gumbel(0, 1) values for k = 2, U(0, 1) values for k = 1; k > 2 uses none.
    Values(&'a [f32]),
}

impl Noise<'_> {
    /// The values, checked to be one per logit and finite.
    pub(super) fn values(&self, logits: &Logits<'_>) -> MoeResult<Option<&[f32]>> {
        let Self::Values(values) = self else { return Ok(None) };
        if values.len() != logits.values().len() {
            let (noise, wanted) = (values.len(), logits.values().len());
            return Err(MoeError::Gate(format!("{noise} noise values for {wanted} logits")));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(MoeError::Gate("a noise value is not finite".into()));
        }
        Ok(Some(values))
    }
}
