//! A loaded model: what it is made of and what it says of itself.

mod embed;
mod forward;
mod head;
mod load;
mod load_options;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::OnceLock;

use super::block::{Block, FeedForward};
use super::compute::Compute;
use super::device::Device;
use super::family::{BackboneFamily, ModelEnds};
use super::layers::{Gates, Linear, Norm};
use super::source::Upcycled;
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::error::MoeResult;
use crate::moe::moe_llava::MoeConfig;

pub use forward::{Forward, ForwardOptions, InputRow, WantedLogits};
pub use load_options::ModelLoadOptions;

/// A model in memory: the layers that were asked for, nothing else.
pub struct Model {
    config: Config,
    checkpoint: Checkpoint,
    device: Device,
    family: &'static BackboneFamily,
    upcycled: Upcycled,
    root: String,
    num_layers: usize,
    layers: Vec<ModelLayer>,
    ends: ModelEnds,
    /// The final norm and the head's tensor; absent where only some layers were loaded.
    tail: Option<(Norm, String)>,
    head_bias: Option<Vec<f32>>,
    kept_head: OnceLock<Linear>,
    weight_bytes: Cell<usize>,
    /// What it was loaded with, for loading it again elsewhere.
    options: ModelLoadOptions,
    /// Gates other than those of the checkpoint, see [`Model::regate`].
    gates: Option<Gates>,
    /// The same model on the CPU, once the device failed in a forward.
    cpu_fallback: OnceLock<Box<Model>>,
}

/// A layer of a model.
enum ModelLayer {
    /// On the device.
    Here(Box<Block>),
    /// Brought there when it is needed, because the device does not hold all layers; the experts and k of its gate.
    OnDemand(Option<(usize, usize)>),
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("family", &self.family.name)
            .field("layers", &self.layers.len())
            .field("device", &self.device.name())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Gives every MoE layer other gates: what another k or a capacity would do to the same weights.
    ///
    /// # Errors
    /// k of 0 or above the experts of a layer, a capacity factor that is no positive number.
    pub fn regate(&mut self, gates: Gates) -> MoeResult<()> {
        for (layer, place) in self.layers.iter_mut().enumerate() {
            match place {
                ModelLayer::Here(block) => regate(block, &gates)?,
                ModelLayer::OnDemand(Some((experts, top_k))) => {
                    gates.check(layer, *experts)?;
                    *top_k = gates.top_k;
                }
                ModelLayer::OnDemand(None) => {}
            }
        }
        self.gates = Some(gates);
        self.cpu_fallback = OnceLock::new();
        Ok(())
    }

    /// Experts and k of the first loaded MoE layer.
    pub fn gate_sizes(&self) -> Option<(usize, usize)> {
        self.layers.iter().find_map(|layer| match layer {
            ModelLayer::Here(block) => block.gate_sizes(),
            ModelLayer::OnDemand(sizes) => *sizes,
        })
    }

    /// Bytes of the weights in the device's memory.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes.get()
    }

    /// The backbone's name, e.g. `mixtral`.
    pub fn backbone(&self) -> &'static str {
        self.family.name
    }

    /// Where it runs, and why it is not where it was asked to run.
    pub fn device(&self) -> &Device {
        self.cpu_fallback.get().map_or(&self.device, |cpu_fallback| &cpu_fallback.device)
    }

    /// The MoE-LLaVA plan, for a converted model.
    pub fn moe(&self) -> Option<&MoeConfig> {
        self.upcycled.moe()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn hidden_size(&self) -> usize {
        self.config.size("hidden_size").unwrap_or(0)
    }

    pub fn vocab_size(&self) -> usize {
        self.config.size("vocab_size").unwrap_or(0)
    }

    /// How many layers the model has, loaded or not.
    pub fn num_layers(&self) -> usize {
        self.num_layers
    }

    /// How many layers are loaded.
    pub fn loaded_layers(&self) -> usize {
        self.layers.len()
    }

    /// How many of them do not fit the device: each is brought there for every forward.
    pub fn layers_on_demand(&self) -> usize {
        self.layers.iter().filter(|layer| matches!(layer, ModelLayer::OnDemand(_))).count()
    }

    /// What its device can do.
    pub(in crate::moe::backbone) fn compute(&self) -> &dyn Compute {
        self.device.compute()
    }
}

/// Puts other gates into a layer that has any.
fn regate(block: &mut Block, gates: &Gates) -> MoeResult<()> {
    match &mut block.feed_forward {
        FeedForward::MoeBlock(moe) => moe.regate(gates),
        FeedForward::Dense(_) => Ok(()),
    }
}
