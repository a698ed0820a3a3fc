//! The forward pass over a loaded model: what goes in, what comes out, and the CPU as the way out.

use std::collections::BTreeMap;

use super::{Model, ModelLayer};
use crate::guard::contain;
use crate::moe::backbone::array::Array;
use crate::moe::backbone::device::Device;
use crate::moe::backbone::forward_context::{ForwardContext, LayerRouting, NoiseSource};
use crate::moe::error::{MoeError, MoeResult};
use crate::tokenizer::TokenId;

/// One input row.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRow {
    Token(TokenId),
    /// Features in place of an embedding, `[H]`.
    Features(Vec<f32>),
}

/// Which logits to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WantedLogits {
    #[default]
    None,
    /// Of the last row of each sequence of the call, a padding row where it was padded, as Python's
    /// `logits[:, -1]`.
    Last,
    /// Of every row.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    All,
}

/// How to run a forward call.
#[derive(Debug, Clone, Default)]
pub struct ForwardOptions {
    pub noise: NoiseSource,
    pub logits: WantedLogits,
    /// Keep the residual stream before each layer and after the last.
    pub layer_hidden: bool,
    /// Keep the inputs of the feed-forward parts (what a gate sees), for k-means.
    pub feed_inputs: bool,
    /// The id that pads shorter sequences on the right.
    pub pad_id: TokenId,
}

/// Results of one call: B sequences padded to S, T = B * S rows, b-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    pub batch: usize,
    pub seq: usize,
    /// Real rows of each sequence.
    pub lens: Vec<usize>,
    pub hidden_size: usize,
    /// After the final norm `[T, H]`; after the last loaded layer where not all were loaded.
    pub hidden: Vec<f32>,
    /// `[B, vocab]` or `[T, vocab]`, as asked for.
    pub logits: Option<Vec<f32>>,
    pub routings: Vec<LayerRouting>,
    /// `[layers + 1]` of `[T, H]`, the last one after the final norm; as asked for.
    pub layer_hidden: Vec<Vec<f32>>,
    /// `[T, H]` by layer, as asked for.
    pub feed_inputs: BTreeMap<usize, Vec<f32>>,
}

impl Model {
    /// Runs the sequences as one call (they share each gate's capacity), padded on the right.
    ///
    /// # Errors
    /// No sequence, an empty one, ids beyond the table, features of the wrong width, a gate that refuses
    /// (see [`crate::moe::gating::gate`]), and what the CPU refuses.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn forward(&self, sequences: &[Vec<InputRow>], options: &ForwardOptions) -> MoeResult<Forward> {
        self.forward_watched(sequences, options, &mut |_, _| true)
    }

    /// The same; `watch` is called with (done, all) layers before each layer, and its `false` ends the run with
    /// [`MoeError::Cancelled`].
    ///
    /// A device that fails on the way (out of memory too) is replaced by the CPU for good: the run starts again
    /// there, and [`Device::fallback`] says why.
    pub fn forward_watched(
        &self,
        sequences: &[Vec<InputRow>],
        options: &ForwardOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Forward> {
        if let Some(cpu_fallback) = self.cpu_fallback.get() {
            return cpu_fallback.run(sequences, options, watch);
        }
        if self.device.is_cpu() {
            return self.run(sequences, options, watch);
        }
        // The driver of a GPU runs in here.
        let failed = match contain(|| self.run(sequences, options, watch)) {
            Ok(Err(error @ (MoeError::Compute { .. } | MoeError::DeviceMemory { .. }))) => error.to_string(),
            Ok(result) => return result,
            Err(panic) => panic.to_string(),
        };
        let cpu = Device::cpu(Some(format!("{} failed: {failed}", self.device.name())));
        let mut cpu_fallback =
            Self::load_on(cpu, &self.config, &self.checkpoint, &self.options, &mut |_, _| true)?;
        if let Some(gates) = self.gates {
            cpu_fallback.regate(gates)?;
        }
        self.cpu_fallback.get_or_init(|| Box::new(cpu_fallback)).run(sequences, options, watch)
    }

    fn run(
        &self,
        sequences: &[Vec<InputRow>],
        options: &ForwardOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Forward> {
        let lens: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let seq = lens.iter().copied().max().unwrap_or(0);
        if lens.contains(&0) || seq == 0 {
            return Err(MoeError::Request("a sequence without tokens cannot be routed".into()));
        }
        let (batch, on) = (sequences.len(), self.compute());
        let mut ctx = ForwardContext::new(on, seq, &lens, &options.noise);
        ctx.feed_inputs = options.feed_inputs.then(BTreeMap::new);
        let mut x = self.embed(sequences, seq, options.pad_id)?;
        let mut layer_hidden = Vec::new();
        for (layer, place) in self.layers.iter().enumerate() {
            if !watch(layer, self.layers.len()) {
                return Err(MoeError::Cancelled);
            }
            self.device.check()?;
            if options.layer_hidden {
                layer_hidden.push(on.values(&x)?);
            }
            x = match place {
                ModelLayer::Here(block) => block.forward(layer, &x, &mut ctx),
                ModelLayer::OnDemand(_) => self.on_demand(layer, &x, &mut ctx),
            }
            .map_err(|e| in_layer(e, layer))?;
        }
        if let Some((norm, _)) = &self.tail {
            x = on.norm(&x, norm)?;
        }
        let logits = match options.logits {
            WantedLogits::None => None,
            WantedLogits::All => Some(self.logits(&x)?),
            WantedLogits::Last => {
                let last: Vec<u32> = (1..=batch).map(|b| (b * seq - 1) as u32).collect();
                Some(self.logits(&on.gather(&x, &last)?)?)
            }
        };
        let hidden = on.values(&x)?;
        self.device.check()?;
        if options.layer_hidden {
            layer_hidden.push(hidden.clone());
        }
        let (routings, feed_inputs) = (ctx.routings, ctx.feed_inputs.unwrap_or_default());
        Ok(Forward {
            batch,
            seq,
            hidden_size: self.hidden_size(),
            hidden,
            logits,
            routings,
            layer_hidden,
            feed_inputs,
            lens,
        })
    }

    /// A layer that the device does not keep.
    fn on_demand(&self, layer: usize, x: &Array, ctx: &mut ForwardContext<'_>) -> MoeResult<Array> {
        let y = self.block_on_demand(layer)?.forward(layer, x, ctx)?;
        // Its memory is free once the work on it is done.
        self.device.check()?;
        Ok(y)
    }
}

/// Says which layer failed.
fn in_layer(error: MoeError, layer: usize) -> MoeError {
    match error {
        MoeError::Gate(message) => MoeError::Gate(format!("layer {layer}: {message}")),
        MoeError::Compute { message, .. } => {
            MoeError::Compute { while_doing: format!("layer {layer}"), message }
        }
        MoeError::DeviceMemory { wanted, message, .. } => {
            MoeError::DeviceMemory { device: format!("layer {layer}"), wanted, message }
        }
        other => other,
    }
}
