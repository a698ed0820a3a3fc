//! Loading of a model: the layers that were asked for, on the device or, where that fails, on the CPU.

use std::cell::Cell;
use std::sync::OnceLock;

use super::load_options::ModelLoadOptions;
use super::{Model, ModelLayer, regate};
use crate::moe::backbone::block::Block;
use crate::moe::backbone::device::Device;
use crate::moe::backbone::family::BackboneFamily;
use crate::moe::backbone::registry::family;
use crate::moe::backbone::source::{Upcycled, WeightSource};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::moe_llava::MoeConfig;

impl Model {
    /// Loads the layers asked for; a device that fails while it is filled (out of memory) is given up for
    /// the CPU, and [`Device::fallback`] says why.
    ///
    /// # Errors
    /// An unknown `model_type`, keys and tensors that are missing or do not fit (by name), weights that
    /// are not finite, a conversion of a model that is an MoE model already.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn load(config: &Config, checkpoint: &Checkpoint, options: &ModelLoadOptions) -> MoeResult<Self> {
        Self::load_watched(config, checkpoint, options, &mut |_, _| true)
    }

    /// The same; `watch` is called with (done, all) layers before each layer, and its `false` ends the loading with
    /// [`MoeError::Cancelled`].
    pub fn load_watched(
        config: &Config,
        checkpoint: &Checkpoint,
        options: &ModelLoadOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Self> {
        Self::load_or_cpu(Device::open(options.device), config, checkpoint, options, watch)
    }

    /// On a device, or with the reason on the CPU.
    pub(in crate::moe::backbone) fn load_or_cpu(
        device: Device,
        config: &Config,
        checkpoint: &Checkpoint,
        options: &ModelLoadOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Self> {
        let (name, on_cpu) = (device.name().to_owned(), device.is_cpu());
        let failed = match Self::load_on(device, config, checkpoint, options, watch) {
            Err(error @ (MoeError::Compute { .. } | MoeError::DeviceMemory { .. })) if !on_cpu => error,
            result => return result,
        };
        let reason = format!("{name} failed: {failed}");
        Self::load_on(Device::cpu(Some(reason)), config, checkpoint, options, watch)
    }

    pub(in crate::moe::backbone) fn load_on(
        device: Device,
        config: &Config,
        checkpoint: &Checkpoint,
        options: &ModelLoadOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Self> {
        let mut this = Self::without_layers(device, config, checkpoint, options)?;
        let count = options.layers.unwrap_or(this.num_layers);
        if count == 0 || count > this.num_layers {
            let all = this.num_layers;
            return Err(MoeError::Request(format!("layers 0..{count}: the model has {all} layers")));
        }
        for layer in 0..count {
            if !watch(layer, count) {
                return Err(MoeError::Cancelled);
            }
            this.add_layer(layer)?;
        }
        if count == this.num_layers {
            let (hidden, vocab) = (this.config.size("hidden_size")?, this.config.size("vocab_size")?);
            let source = this.source();
            let head = head_name(&source, this.family)?;
            expect_embedding(&source, &head, vocab, hidden)?;
            let bias = this.ends.head_bias.then(|| source.vector("lm_head.bias", vocab)).transpose()?;
            let tail = ((this.ends.norm)(&source)?, source.name(&head));
            (this.head_bias, this.tail) = (bias, Some(tail));
        }
        Ok(this)
    }

    /// The model's ends without any layer in between.
    pub(in crate::moe::backbone) fn without_layers(
        device: Device,
        config: &Config,
        checkpoint: &Checkpoint,
        options: &ModelLoadOptions,
    ) -> MoeResult<Self> {
        let family = family(config)?;
        let config = config.with_defaults(family.defaults)?;
        let upcycled = upcycled(&config, family, options)?;
        let root = if checkpoint.contains(&format!("language_model.{}", family.embedding)) {
            "language_model.".to_owned()
        } else {
            String::new()
        };
        let weight_bytes = Cell::new(0);
        let source = WeightSource {
            config: &config,
            checkpoint,
            device: &device,
            upcycled: &upcycled,
            root: root.clone(),
            weight_bytes: &weight_bytes,
        };
        let ends = (family.ends)(&source)?;
        let (hidden, vocab) = (config.size("hidden_size")?, config.size("vocab_size")?);
        expect_embedding(&source, family.embedding, vocab, hidden)?;
        Ok(Self {
            num_layers: config.layers()?,
            config,
            checkpoint: checkpoint.clone(),
            family,
            upcycled,
            root,
            layers: Vec::new(),
            ends,
            tail: None,
            head_bias: None,
            kept_head: OnceLock::new(),
            weight_bytes,
            options: options.clone(),
            gates: None,
            cpu_fallback: OnceLock::new(),
            device,
        })
    }

    /// Reads a layer and keeps it on the device; where that has no room, the layer is brought there for every
    /// forward, and two before it give up their place to it and to what the forward itself needs.
    fn add_layer(&mut self, layer: usize) -> MoeResult<()> {
        let on_demand = self.layers_on_demand() > 0;
        let bytes = self.weight_bytes.get();
        let block = match self.block(layer) {
            Err(MoeError::DeviceMemory { .. }) if !on_demand && layer > 0 => {
                self.make_room(bytes)?;
                self.block(layer)?
            }
            Ok(block) if !on_demand => {
                self.layers.push(ModelLayer::Here(Box::new(block)));
                return Ok(());
            }
            // Read all the same: what is wrong with it is said now.
            result => result?,
        };
        self.layers.push(ModelLayer::OnDemand(block.gate_sizes()));
        drop(block);
        self.weight_bytes.set(bytes.min(self.weight_bytes.get()));
        self.device.check()
    }

    /// Takes the last two layers from the device, which then holds what is left of `bytes`.
    fn make_room(&mut self, bytes: usize) -> MoeResult<()> {
        let count = self.layers.len();
        for place in self.layers.iter_mut().skip(count.saturating_sub(2)) {
            if let ModelLayer::Here(block) = place {
                *place = ModelLayer::OnDemand(block.gate_sizes());
            }
        }
        // The layers of a model are about as large as each other.
        self.weight_bytes.set(bytes * count.saturating_sub(2) / count.max(1));
        self.device.check()
    }

    fn source(&self) -> WeightSource<'_> {
        WeightSource {
            config: &self.config,
            checkpoint: &self.checkpoint,
            device: &self.device,
            upcycled: &self.upcycled,
            root: self.root.clone(),
            weight_bytes: &self.weight_bytes,
        }
    }

    /// Reads one layer.
    pub(in crate::moe::backbone) fn block(&self, layer: usize) -> MoeResult<Block> {
        (self.family.block)(&self.source(), layer)
    }

    /// Reads one layer for one forward, with the gates of the others.
    pub(super) fn block_on_demand(&self, layer: usize) -> MoeResult<Block> {
        let bytes = self.weight_bytes.get();
        let mut block = self.block(layer)?;
        self.weight_bytes.set(bytes);
        if let Some(gates) = &self.gates {
            regate(&mut block, gates)?;
        }
        Ok(block)
    }
}

fn upcycled(config: &Config, family: &BackboneFamily, options: &ModelLoadOptions) -> MoeResult<Upcycled> {
    let saved = MoeConfig::read(config)?;
    match (&options.conversion, saved) {
        (None, None) => Ok(Upcycled::No),
        (None, Some(moe)) => Ok(Upcycled::Saved(moe)),
        (Some(_), Some(_)) => {
            Err(MoeError::Request("this checkpoint is an MoE model already (config.moe)".into()))
        }
        (Some(_), None) if family.upcycling.is_none() => {
            let name = family.name;
            Err(MoeError::Request(format!("{name} is an MoE model already; only dense models are converted")))
        }
        (Some(conversion), None) => Ok(Upcycled::Now(conversion.clone())),
    }
}

/// The head's tensor: `lm_head.weight`, or the embeddings where they are tied or no head is saved.
fn head_name(source: &WeightSource<'_>, family: &BackboneFamily) -> MoeResult<String> {
    let tied = source.config.flag_or("tie_word_embeddings", false)?;
    let head = "lm_head.weight";
    Ok(if tied || !source.has(head) { family.embedding } else { head }.to_owned())
}

/// At least `vocab` rows of width H (tables are often padded beyond the vocabulary).
fn expect_embedding(source: &WeightSource<'_>, name: &str, vocab: usize, hidden: usize) -> MoeResult<()> {
    let name = source.name(name);
    match source.checkpoint.info(&name)?.shape.as_slice() {
        [rows, width] if *rows >= vocab && *width == hidden => Ok(()),
        shape => {
            let message = format!("has shape {shape:?}, the config asks for [{vocab}, {hidden}]");
            Err(source.checkpoint.error(&name, message))
        }
    }
}
