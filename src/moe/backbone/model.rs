//! A loaded model and its forward pass.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use candle_core::Tensor;

use super::block::{Block, Feed};
use super::device::{Device, DeviceChoice};
use super::layers::{Linear, Norm};
use super::pass::{LayerRouting, NoiseSource, Pass};
use super::source::{Conversion, Source, Upcycled};
use super::{Family, family};
use crate::moe::checkpoint::Checkpoint;
use crate::moe::config::Config;
use crate::moe::error::{MoeError, MoeResult};
use crate::moe::moe_llava::MoeConfig;
use crate::tokenizer::TokenId;

/// Rows of the output matrix converted to f32 at a time.
const HEAD_ROWS: usize = 8192;
/// An output matrix up to this many elements (256 MiB) is kept once converted.
const HEAD_KEPT: usize = 1 << 26;

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Only the layers `0..k` (and neither the final norm nor the head, unless k is all of them).
    pub layers: Option<usize>,
    pub device: DeviceChoice,
    /// For a dense model: make it a mixture while loading.
    pub conversion: Option<Conversion>,
}

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

/// What a family says about the ends of the model.
#[derive(Debug)]
pub(super) struct Ends {
    pub embedding_multiplier: f64,
    /// MiniCPM scales token embeddings only where no features are mixed in.
    pub unscaled_beside_features: bool,
    pub norm: fn(&Source<'_>) -> MoeResult<Norm>,
    /// Whether the head has a bias.
    pub head_bias: bool,
    pub logit_multiplier: f64,
}

/// A model in memory: the layers that were asked for, nothing else.
pub struct Model {
    config: Config,
    checkpoint: Checkpoint,
    device: Device,
    family: &'static Family,
    upcycled: Upcycled,
    root: String,
    num_layers: usize,
    blocks: Vec<Block>,
    ends: Ends,
    /// The final norm and the head's tensor; absent where only some layers were loaded.
    tail: Option<(Norm, String)>,
    head_bias: Option<Vec<f32>>,
    kept_head: OnceLock<Linear>,
    weight_bytes: Cell<usize>,
    /// What it was loaded with, for loading it again elsewhere.
    options: LoadOptions,
    /// Gates other than those of the checkpoint, see [`Model::regate`].
    gates: Option<Gates>,
    /// The same model on the CPU, once the device failed in a forward.
    spare: OnceLock<Box<Model>>,
}

/// Gates that replace those of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gates {
    pub top_k: usize,
    /// DeepSpeed's gate with this capacity factor and smallest capacity; `None` keeps the model's own router.
    pub capacity: Option<(f64, usize)>,
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
    /// Loads the layers asked for; a device that fails while it is filled (out of memory) is given up for
    /// the CPU, and [`Device::fallback`] says why.
    ///
    /// # Errors
    /// An unknown `model_type`, keys and tensors that are missing or do not fit (by name), weights that
    /// are not finite, a conversion of a model that is a mixture already.
    pub fn load(config: &Config, checkpoint: &Checkpoint, options: &LoadOptions) -> MoeResult<Self> {
        Self::load_watched(config, checkpoint, options, &mut |_, _| true)
    }

    /// The same; `watch` is called with (done, all) layers before each layer, and its `false` ends the loading with
    /// [`MoeError::Cancelled`].
    pub fn load_watched(
        config: &Config,
        checkpoint: &Checkpoint,
        options: &LoadOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Self> {
        let device = Device::open(options.device);
        let on_cpu = device.is_cpu();
        match Self::load_on(device, config, checkpoint, options, watch) {
            Err(MoeError::Compute { message, .. }) if !on_cpu => {
                Self::load_on(Device::cpu(Some(message)), config, checkpoint, options, watch)
            }
            result => result,
        }
    }

    fn load_on(
        device: Device,
        config: &Config,
        checkpoint: &Checkpoint,
        options: &LoadOptions,
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
            let block = this.block(layer)?;
            this.blocks.push(block);
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
    pub(super) fn without_layers(
        device: Device,
        config: &Config,
        checkpoint: &Checkpoint,
        options: &LoadOptions,
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
        let source = Source {
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
            blocks: Vec::new(),
            ends,
            tail: None,
            head_bias: None,
            kept_head: OnceLock::new(),
            weight_bytes,
            options: options.clone(),
            gates: None,
            spare: OnceLock::new(),
            device,
        })
    }

    fn source(&self) -> Source<'_> {
        Source {
            config: &self.config,
            checkpoint: &self.checkpoint,
            device: &self.device,
            upcycled: &self.upcycled,
            root: self.root.clone(),
            weight_bytes: &self.weight_bytes,
        }
    }

    /// Reads one layer.
    pub(super) fn block(&self, layer: usize) -> MoeResult<Block> {
        (self.family.block)(&self.source(), layer)
    }

    /// Gives every mixture other gates: what another k or a capacity would do to the same weights.
    ///
    /// # Errors
    /// k of 0 or above the experts of a layer, a capacity factor that is no positive number.
    pub fn regate(&mut self, gates: Gates) -> MoeResult<()> {
        for block in &mut self.blocks {
            if let Feed::Mixture(mixture) = &mut block.feed {
                mixture.regate(&gates)?;
            }
        }
        self.gates = Some(gates);
        self.spare = OnceLock::new();
        Ok(())
    }

    /// Experts and k of the first loaded mixture.
    pub fn gate_sizes(&self) -> Option<(usize, usize)> {
        self.blocks.iter().find_map(|block| match &block.feed {
            Feed::Mixture(mixture) => Some((mixture.experts.len(), mixture.top_k())),
            Feed::Dense(_) => None,
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
        self.spare.get().map_or(&self.device, |spare| &spare.device)
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

    /// Embeddings of `ids`, `[n, H]`, unscaled: only these rows of the table are read.
    pub fn embeddings(&self, ids: &[TokenId]) -> MoeResult<Vec<f32>> {
        let name = format!("{}{}", self.root, self.family.embedding);
        let mut rows = Vec::with_capacity(ids.len() * self.hidden_size());
        for &id in ids {
            let row = self.checkpoint.f32_rows(&name, id as usize, 1).map_err(|e| {
                let vocab = self.vocab_size();
                MoeError::Request(format!("token id {id} (the model has {vocab} embeddings): {e}"))
            })?;
            rows.extend(row);
        }
        Ok(rows)
    }

    /// Runs the sequences as one call (they share each gate's capacity), padded on the right.
    ///
    /// # Errors
    /// No sequence, an empty one, ids beyond the table, features of the wrong width, a gate that refuses
    /// (see [`crate::moe::gating::gate`]), and what the CPU refuses.
    pub fn forward(&self, sequences: &[Vec<InputRow>], options: &ForwardOptions) -> MoeResult<Forward> {
        self.forward_watched(sequences, options, &mut |_, _| true)
    }

    /// The same; `watch` is called with (done, all) layers before each layer, and its `false` ends the run with
    /// [`MoeError::Cancelled`].
    ///
    /// A device that fails on the way (out of memory too) is given up for the CPU for good: the run starts again
    /// there, and [`Device::fallback`] says why.
    pub fn forward_watched(
        &self,
        sequences: &[Vec<InputRow>],
        options: &ForwardOptions,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> MoeResult<Forward> {
        if let Some(spare) = self.spare.get() {
            return spare.run(sequences, options, watch);
        }
        match self.run(sequences, options, watch) {
            Err(MoeError::Compute { while_doing, message }) if !self.device.is_cpu() => {
                let reason = format!("{} failed: {while_doing}: {message}", self.device.name());
                let cpu = Device::cpu(Some(reason));
                let mut spare =
                    Self::load_on(cpu, &self.config, &self.checkpoint, &self.options, &mut |_, _| true)?;
                if let Some(gates) = self.gates {
                    spare.regate(gates)?;
                }
                self.spare.get_or_init(|| Box::new(spare)).run(sequences, options, watch)
            }
            result => result,
        }
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
        let batch = sequences.len();
        let mut pass = Pass::new(batch, seq, &lens, &options.noise);
        pass.feed_inputs = options.feed_inputs.then(BTreeMap::new);
        let mut x = self.embed(sequences, seq, options.pad_id)?;
        let mut layer_hidden = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            if !watch(layer, self.blocks.len()) {
                return Err(MoeError::Cancelled);
            }
            self.device.check()?;
            if options.layer_hidden {
                layer_hidden.push(host(&x)?);
            }
            x = block.forward(layer, &x, &mut pass).map_err(|e| in_layer(e, layer))?;
        }
        if let Some((norm, _)) = &self.tail {
            x = norm.forward(&x)?;
        }
        let logits = match options.logits {
            WantedLogits::None => None,
            WantedLogits::All => Some(self.logits(&x)?),
            WantedLogits::Last => {
                let last: Vec<u32> = (1..=batch).map(|b| (b * seq - 1) as u32).collect();
                let rows = Tensor::from_slice(&last, batch, x.device())?;
                Some(self.logits(&x.index_select(&rows, 0)?)?)
            }
        };
        let hidden = host(&x)?;
        if options.layer_hidden {
            layer_hidden.push(hidden.clone());
        }
        let (routings, feed_inputs) = (pass.routings, pass.feed_inputs.unwrap_or_default());
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

    pub(super) fn embed(
        &self,
        sequences: &[Vec<InputRow>],
        seq: usize,
        pad_id: TokenId,
    ) -> MoeResult<Tensor> {
        let hidden = self.hidden_size();
        let mut values = Vec::with_capacity(sequences.len() * seq * hidden);
        for rows in sequences {
            let mixed = rows.iter().any(|r| matches!(r, InputRow::Features(_)));
            let unscaled = mixed && self.ends.unscaled_beside_features;
            let scale = if unscaled { 1.0 } else { self.ends.embedding_multiplier as f32 };
            let pad = InputRow::Token(pad_id);
            for row in rows.iter().chain(std::iter::repeat_n(&pad, seq - rows.len())) {
                match row {
                    InputRow::Token(id) => {
                        values.extend(self.embeddings(&[*id])?.into_iter().map(|v| v * scale));
                    }
                    InputRow::Features(features) if features.len() == hidden => values.extend(features),
                    InputRow::Features(features) => {
                        let n = features.len();
                        return Err(MoeError::Request(format!(
                            "image features of {n} values, H is {hidden}"
                        )));
                    }
                }
            }
        }
        Ok(Tensor::from_vec(values, (sequences.len() * seq, hidden), &self.device.inner)?)
    }

    /// Logits of rows `[n, H]`, `[n, vocab]`.
    fn logits(&self, x: &Tensor) -> MoeResult<Vec<f32>> {
        let Some((_, name)) = &self.tail else {
            return Err(MoeError::Request("logits need all layers to be loaded".into()));
        };
        let (vocab, hidden) = (self.vocab_size(), self.hidden_size());
        let multiplier = self.ends.logit_multiplier;
        let finish = |t: Tensor| if multiplier == 1.0 { Ok(t) } else { t * multiplier };
        if vocab * hidden <= HEAD_KEPT {
            return host(&finish(self.head(name, 0, vocab)?.forward(x)?)?);
        }
        let n = x.dim(0)?;
        let mut logits = vec![0f32; n * vocab];
        for start in (0..vocab).step_by(HEAD_ROWS) {
            let count = HEAD_ROWS.min(vocab - start);
            let part = host(&finish(self.head(name, start, count)?.forward(x)?)?)?;
            for (row, values) in logits.chunks_exact_mut(vocab).zip(part.chunks_exact(count)) {
                row.get_mut(start..start + count).unwrap_or_default().copy_from_slice(values);
            }
        }
        Ok(logits)
    }

    /// Rows `start..start + count` of the output matrix; kept when they are all of it.
    fn head(&self, name: &str, start: usize, count: usize) -> MoeResult<Linear> {
        if let Some(head) = self.kept_head.get() {
            return Ok(head.clone());
        }
        let weight = self.checkpoint.f32_rows(name, start, count)?;
        let weight = Tensor::from_vec(weight, (count, self.hidden_size()), &self.device.inner)?;
        let bias = match &self.head_bias {
            Some(bias) => {
                let part = bias.get(start..start + count).unwrap_or_default();
                Some(Tensor::from_slice(part, count, &self.device.inner)?)
            }
            None => None,
        };
        if count == self.vocab_size() {
            let head = Linear::out_in(&weight, bias)?;
            return Ok(self.kept_head.get_or_init(|| head).clone());
        }
        Ok(Linear::out_in_once(&weight, bias)?)
    }
}

fn upcycled(config: &Config, family: &Family, options: &LoadOptions) -> MoeResult<Upcycled> {
    let saved = MoeConfig::read(config)?;
    match (&options.conversion, saved) {
        (None, None) => Ok(Upcycled::No),
        (None, Some(moe)) => Ok(Upcycled::Saved(moe)),
        (Some(_), Some(_)) => {
            Err(MoeError::Request("this checkpoint is a mixture already (config.moe)".into()))
        }
        (Some(_), None) if family.upcycling.is_none() => {
            let name = family.name;
            Err(MoeError::Request(format!("{name} is a mixture already; only dense models are converted")))
        }
        (Some(conversion), None) => Ok(Upcycled::Now(conversion.clone())),
    }
}

/// The head's tensor: `lm_head.weight`, or the embeddings where they are tied or no head is saved.
fn head_name(source: &Source<'_>, family: &Family) -> MoeResult<String> {
    let tied = source.config.flag_or("tie_word_embeddings", false)?;
    let head = "lm_head.weight";
    Ok(if tied || !source.has(head) { family.embedding } else { head }.to_owned())
}

/// At least `vocab` rows of width H (tables are often padded beyond the vocabulary).
fn expect_embedding(source: &Source<'_>, name: &str, vocab: usize, hidden: usize) -> MoeResult<()> {
    let name = source.name(name);
    match source.checkpoint.info(&name)?.shape.as_slice() {
        [rows, width] if *rows >= vocab && *width == hidden => Ok(()),
        shape => {
            let message = format!("has shape {shape:?}, the config asks for [{vocab}, {hidden}]");
            Err(source.checkpoint.error(&name, message))
        }
    }
}

fn host(x: &Tensor) -> MoeResult<Vec<f32>> {
    Ok(x.flatten_all()?.to_vec1()?)
}

/// Says which layer failed.
fn in_layer(error: MoeError, layer: usize) -> MoeError {
    match error {
        MoeError::Gate(message) => MoeError::Gate(format!("layer {layer}: {message}")),
        MoeError::Compute { message, .. } => {
            MoeError::Compute { while_doing: format!("layer {layer}"), message }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
