//! What one forward call carries through the layers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::compute::Compute;
use super::layers::{Pairing, Rotary};
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::gating::{Decision, Noise};
use crate::moe::rope::Rope;
use crate::moe::seed::Rng;

/// The routing of one MoE layer in one call of T tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRouting {
    /// Index of the layer in the model.
    pub layer: usize,
    /// Router logits `[T, E]`.
    pub logits: Vec<f32>,
    pub decision: Decision,
}

/// Where DeepSpeed's random numbers come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NoiseSource {
    /// None: deterministic, see [`crate::moe::gating`].
    #[default]
    Off,
    /// Drawn from a seed, per layer and call.
    Sampled { seed: u64 },
    /// Replay: `[T, E]` values by layer.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    Recorded(BTreeMap<usize, Vec<f32>>),
}

/// Values that live as long as one gate call.
pub(super) struct LayerNoise(Option<Vec<f32>>);

impl LayerNoise {
    pub fn as_noise(&self) -> Noise<'_> {
        self.0.as_deref().map_or(Noise::Off, Noise::Values)
    }
}

/// Angles with what they were computed from: scaling, dimensions, pairing.
type KnownRotary = (Rope, usize, Pairing, Arc<Rotary>);

/// One forward call: sequences of S positions, padded on the right.
pub(super) struct ForwardContext<'a> {
    /// Where it runs.
    pub on: &'a dyn Compute,
    pub seq: usize,
    /// Positions of each sequence that are not padding (all where there is no attention mask).
    pub lens: &'a [usize],
    pub noise: &'a NoiseSource,
    pub routings: Vec<LayerRouting>,
    /// Inputs of the feed-forward parts by layer, where asked for.
    pub feed_inputs: Option<BTreeMap<usize, Vec<f32>>>,
    rotaries: RefCell<Vec<KnownRotary>>,
}

impl<'a> ForwardContext<'a> {
    pub fn new(on: &'a dyn Compute, seq: usize, lens: &'a [usize], noise: &'a NoiseSource) -> Self {
        Self { on, seq, lens, noise, routings: Vec::new(), feed_inputs: None, rotaries: RefCell::default() }
    }

    /// The angles for heads of `head_dim`, computed once a call.
    pub fn rotary(&self, rope: &Rope, head_dim: usize, pairing: Pairing) -> MoeResult<Arc<Rotary>> {
        let dim = (head_dim as f64 * rope.partial_rotary_factor) as usize;
        let mut known = self.rotaries.borrow_mut();
        let same = |(r, d, p, _): &&KnownRotary| r == rope && *d == dim && *p == pairing;
        if let Some((.., rotary)) = known.iter().find(same) {
            return Ok(Arc::clone(rotary));
        }
        let table = rope.table(dim, self.seq);
        if table.cos.len() != self.seq * (table.dim / 2) {
            let message = format!("the rope factors are too few for {dim} dimensions");
            return Err(MoeError::Compute { while_doing: "running the model".into(), message });
        }
        let rotary = Arc::new(Rotary::new(table, pairing, self.seq));
        known.push((rope.clone(), dim, pairing, Arc::clone(&rotary)));
        Ok(rotary)
    }

    /// The noise of one gate call.
    pub fn noise_for(
        &self,
        layer: usize,
        tokens: usize,
        num_experts: usize,
        top_k: usize,
    ) -> MoeResult<LayerNoise> {
        Ok(LayerNoise(match self.noise {
            NoiseSource::Off => None,
            NoiseSource::Sampled { .. } if top_k > 2 => None,
            NoiseSource::Sampled { seed } => {
                let mut rng = Rng::new(*seed).fork(layer as u64);
                let n = tokens * num_experts;
                Some((0..n).map(|_| if top_k == 1 { rng.uniform() } else { rng.gumbel() }).collect())
            }
            NoiseSource::Recorded(layers) => Some(layers.get(&layer).cloned().ok_or_else(|| {
                MoeError::Request(format!("the recorded noise holds nothing for layer {layer}"))
            })?),
        }))
    }
}
