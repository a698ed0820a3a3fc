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
    blocks: Vec<Block>,
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

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("family", &self.family.name)
            .field("layers", &self.blocks.len())
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
        for block in &mut self.blocks {
            if let FeedForward::MoeBlock(moe) = &mut block.feed_forward {
                moe.regate(&gates)?;
            }
        }
        self.gates = Some(gates);
        self.cpu_fallback = OnceLock::new();
        Ok(())
    }

    /// Experts and k of the first loaded MoE layer.
    pub fn gate_sizes(&self) -> Option<(usize, usize)> {
        self.blocks.iter().find_map(|block| match &block.feed_forward {
            FeedForward::MoeBlock(moe) => Some((moe.experts.len(), moe.top_k())),
            FeedForward::Dense(_) => None,
        })
    }

    /// Bytes of the weights in memory, as f32.
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
        self.blocks.len()
    }
}
