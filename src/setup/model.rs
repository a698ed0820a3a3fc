//! Loading of MoE models, for the command line and the screen: where one comes from, how a dense one is converted on the
//! way, and how far the loading is.
//!
//! From the hub come `config.json`, the index, and the shards that hold a tensor of the layers asked for; nothing
//! else of the repository.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DownloadWatch;
use crate::error::{Error, Result};
use crate::hub::{DownloadProgress, HubId, HubOptions, WantedFiles, fetch};
use crate::moe::backbone::{Conversion, Device, DeviceChoice, InputRow, Model, ModelLoadOptions, is_dense};
use crate::moe::checkpoint::{Checkpoint, layer_of, shard_names};
use crate::moe::config::Config;
use crate::moe::kmeans::kmeans_gates;
use crate::moe::moe_llava::{MoeConfig, MoeRequest};
use crate::moe::sample;
use crate::moe::seeded::{SEEDED, seeded};
use crate::tokenizer::TokenId;

/// Prefix of a seeded model.
const SEEDED_PREFIX: &str = "seeded:";

/// The file that says which shard holds a tensor.
const INDEX: &str = "model.safetensors.index.json";

/// Where a model comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ModelSource {
    /// The embedded MoE model over bytes, trained.
    #[default]
    Bytes,
    /// A small model of this backbone with random weights and the tokenizer's own vocabulary.
    Seeded(&'static str),
    /// A folder, or else a hub id.
    Named(Arc<str>),
}

impl ModelSource {
    /// Reads `byte-moe`, `seeded:NAME`, or a folder or hub id, which nothing is asked of yet.
    ///
    /// # Errors
    /// An unknown seeded model; the message lists those that there are.
    pub fn parse(spec: &str) -> Result<Self> {
        if let Some(source) = Self::built_in().into_iter().find(|source| source.name() == spec) {
            return Ok(source);
        }
        match spec.strip_prefix(SEEDED_PREFIX) {
            Some(name) => Err(Error::UnknownName {
                kind: "seeded model",
                name: name.to_string(),
                known: SEEDED.map(String::from).to_vec(),
            }),
            None => Ok(Self::Named(spec.into())),
        }
    }

    /// All models that need no file, in the order in which a list shows them.
    pub fn built_in() -> Vec<Self> {
        [Self::Bytes].into_iter().chain(SEEDED.map(Self::Seeded)).collect()
    }

    /// True for the model that reads the prompt's bytes instead of its tokens.
    pub fn reads_bytes(&self) -> bool {
        matches!(self, Self::Bytes)
    }

    /// As `moe route` takes it, and as a title names it.
    pub fn name(&self) -> String {
        match self {
            Self::Bytes => sample::SAMPLES[0].to_string(),
            Self::Seeded(name) => format!("{SEEDED_PREFIX}{name}"),
            Self::Named(spec) => spec.to_string(),
        }
    }

    /// What kind of model a built-in one is; of a named one that is known once it is loaded.
    pub fn kind(&self) -> Option<ModelKind> {
        match self {
            Self::Bytes => Some(ModelKind::Moe),
            Self::Seeded(_) => Some(ModelKind::Dense),
            Self::Named(_) => None,
        }
    }

    fn open(&self, request: &ModelRequest, watch: DownloadWatch<'_>) -> Result<(Config, Checkpoint)> {
        match self {
            Self::Bytes => Ok(sample::open(sample::SAMPLES[0])?),
            Self::Seeded(name) => Ok(seeded(name, request.vocab_size, request.seed)?),
            Self::Named(spec) if Path::new(&**spec).exists() => {
                open_folder(Path::new(&**spec), request.layers)
            }
            Self::Named(spec) => {
                let id = HubId::parse(spec).map_err(|_| unknown_source(spec))?;
                open_folder(&download(&id, request.layers, &request.hub, watch)?, request.layers)
            }
        }
    }
}

fn unknown_source(spec: &str) -> Error {
    let built_in: Vec<String> = ModelSource::built_in().iter().map(ModelSource::name).collect();
    Error::Usage(format!(
        "{spec}: no such folder, and no hub id (org/name or org/name@revision); built in are {}",
        built_in.join(", ")
    ))
}

/// What a loaded model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Dense, and converted while it is loaded.
    Dense,
    /// An MoE model of transformers: its experts are trained and fixed, its router drops nothing by itself.
    Moe,
    /// A MoE-LLaVA checkpoint: trained and fixed, DeepSpeed's gate with a capacity.
    MoeLlava,
}

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    pub source: ModelSource,
    /// Only the layers 0..K are read.
    pub layers: Option<usize>,
    pub device: DeviceChoice,
    /// Embeddings of a seeded model, see [`vocab_size`].
    pub vocab_size: usize,
    /// Seed of a seeded model's weights.
    pub seed: u64,
    /// How a dense model becomes an MoE model.
    pub conversion: ConversionRequest,
    /// Refuse layers that the free memory does not hold: the system would end this program, or another.
    pub within_memory: bool,
    pub hub: HubOptions,
}

/// How a dense model becomes an MoE model.
#[derive(Debug, Clone, Default)]
pub struct ConversionRequest {
    pub moe: MoeRequest,
    /// A file with gates, and perhaps experts, by DeepSpeed's names.
    pub weights: Option<PathBuf>,
    pub gates: GateInit,
    pub seed: u64,
    /// An option of the user's that asks for a conversion, by name: it is an error where the model has experts already.
    pub asked_by: Option<&'static str>,
}

/// How the gates of a converted model start where no file brings them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GateInit {
    /// Small random numbers.
    #[default]
    Seeded,
    /// Clusters of the hidden states of these sequences.
    Kmeans(Vec<Vec<TokenId>>),
}

/// How far the loading is.
#[derive(Debug, Clone)]
pub enum LoadStep {
    Download(DownloadProgress),
    /// Clusters for the gate of one layer.
    Clusters {
        layer: usize,
        layers: usize,
    },
    /// Reading of one layer.
    Layer {
        layer: usize,
        layers: usize,
    },
}

/// Called before each step; [`ControlFlow::Break`] ends the loading with an error.
pub type LoadWatch<'a> = &'a mut dyn FnMut(LoadStep) -> ControlFlow<()>;

impl ConversionRequest {
    /// The conversion of this model.
    ///
    /// # Errors
    /// Layers or experts that the model cannot have, and what files and clusters refuse.
    pub fn for_model(
        &self,
        config: &Config,
        checkpoint: &Checkpoint,
        watch: LoadWatch<'_>,
    ) -> Result<Conversion> {
        let moe = MoeConfig::new(&self.moe, config.layers()?)?;
        let mut conversion = match &self.weights {
            Some(path) => Conversion::with_weights(moe, Checkpoint::open(path)?, self.seed),
            None => Conversion::seeded(moe, self.seed),
        };
        if let GateInit::Kmeans(sequences) = &self.gates {
            let inputs = |ids: &Vec<TokenId>| ids.iter().map(|id| InputRow::Token(*id)).collect();
            let sequences: Vec<Vec<InputRow>> = sequences.iter().map(inputs).collect();
            let mut step = |layer, layers| watch(LoadStep::Clusters { layer, layers }).is_continue();
            conversion.gates =
                kmeans_gates(config, checkpoint, &sequences, &conversion.moe, self.seed, &mut step)?;
        }
        Ok(conversion)
    }
}

/// Loads a model, and says what it is.
///
/// # Errors
/// What the hub refuses, files that are missing or malformed, a conversion that does not fit the model, too little
/// memory where [`ModelRequest::within_memory`] is set.
pub fn load_model(request: &ModelRequest, watch: LoadWatch<'_>) -> Result<(Model, ModelKind)> {
    let mut download = |progress| watch(LoadStep::Download(progress));
    let (config, checkpoint) = request.source.open(request, &mut download)?;
    let dense = is_dense(&config)?;
    if request.within_memory {
        fits(layer_bytes(&checkpoint, request.layers), request.device)?;
    }
    let conversion = match (dense, request.conversion.asked_by) {
        (true, _) => Some(request.conversion.for_model(&config, &checkpoint, watch)?),
        (false, None) => None,
        (false, Some(option)) => {
            return Err(Error::Usage(format!(
                "{option} is for dense models, and this one is an MoE model already"
            )));
        }
    };
    let options = ModelLoadOptions { layers: request.layers, device: request.device, conversion };
    let mut step = |layer, layers| watch(LoadStep::Layer { layer, layers }).is_continue();
    let model = Model::load_watched(&config, &checkpoint, &options, &mut step)?;
    let kind = match (dense, model.moe()) {
        (true, _) => ModelKind::Dense,
        (false, Some(_)) => ModelKind::MoeLlava,
        (false, None) => ModelKind::Moe,
    };
    Ok((model, kind))
}

/// Embeddings that a seeded model needs: the tokenizer's, and those of all ids (a vocabulary may have holes, so ids can
/// lie beyond its number of tokens).
pub fn vocab_size<'a>(tokenizer_len: usize, input_ids: impl IntoIterator<Item = &'a i64>) -> usize {
    let largest = token_ids(input_ids).max();
    tokenizer_len.max(largest.map_or(1, |id| id as usize + 1))
}

/// The ids of a sample without its image placeholders.
pub fn token_ids<'a>(input_ids: impl IntoIterator<Item = &'a i64>) -> impl Iterator<Item = TokenId> {
    input_ids.into_iter().filter_map(|id| TokenId::try_from(*id).ok())
}

fn open_folder(folder: &Path, layers: Option<usize>) -> Result<(Config, Checkpoint)> {
    let checkpoint = Checkpoint::open_where(folder, &|tensor| is_needed(tensor, layers))?;
    Ok((Config::open(folder)?, checkpoint))
}

/// Refuses layers that the free memory does not hold.
fn fits(needed: usize, device: DeviceChoice) -> Result<()> {
    match free_memory() {
        // On a GPU the weights are only passing through.
        Some(free) if needed > free / 10 * 8 && Device::open(device).is_cpu() => {
            let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
            Err(Error::Usage(format!(
                "its layers take {:.1} GiB as f32, {:.1} GiB of memory are free: type 0..K behind its name for the \
                 first K layers",
                gibibytes(needed),
                gibibytes(free)
            )))
        }
        _ => Ok(()),
    }
}

/// Memory that can be had without swapping, in bytes; `None` where the system does not say.
fn free_memory() -> Option<usize> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    usize::try_from(system.available_memory()).ok().filter(|free| *free > 0)
}

/// Bytes that the layers take in memory, as f32.
fn layer_bytes(checkpoint: &Checkpoint, layers: Option<usize>) -> usize {
    let of_a_layer = |name: &&str| layer_of(name).is_some() && is_needed(name, layers);
    let names = checkpoint.names().filter(of_a_layer);
    let elements =
        names.filter_map(|name| checkpoint.info(name).ok()).map(|i| i.shape.iter().product::<usize>());
    elements.fold(0usize, usize::saturating_add).saturating_mul(size_of::<f32>())
}

/// Whether a forward through the first `layers` layers (`None`: all) reads a tensor.
fn is_needed(tensor: &str, layers: Option<usize>) -> bool {
    layers.zip(layer_of(tensor)).is_none_or(|(layers, layer)| layer < layers)
}

/// Brings what is needed of a repository into the cache: first what says what there is, then the weights.
fn download(
    id: &HubId,
    layers: Option<usize>,
    hub: &HubOptions,
    watch: DownloadWatch<'_>,
) -> Result<PathBuf> {
    let first = |file: &str| file == "config.json" || file == INDEX;
    let folder = fetch(id, hub, WantedFiles::Matching(&first), watch)?;
    let index = folder.join(INDEX);
    let mut files = BTreeSet::from(["config.json".to_string()]);
    if index.exists() {
        files.insert(INDEX.to_string());
        files.extend(shard_names(&index, &|tensor| is_needed(tensor, layers))?);
    } else {
        files.insert("model.safetensors".to_string());
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    Ok(fetch(id, hub, WantedFiles::Named(&names), watch)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_models_and_names_are_told_apart() {
        let parse = |spec: &str| ModelSource::parse(spec).unwrap();
        assert_eq!(parse("byte-moe"), ModelSource::Bytes);
        assert_eq!(parse("seeded:phi"), ModelSource::Seeded("phi"));
        assert_eq!(parse("org/name@main"), ModelSource::Named("org/name@main".into()));
        assert!(ModelSource::parse("seeded:gpt").unwrap_err().to_string().contains("phi"));
        assert_eq!(ModelSource::built_in().len(), 1 + SEEDED.len());
    }

    fn request(spec: &str) -> ModelRequest {
        ModelRequest {
            source: ModelSource::parse(spec).unwrap(),
            layers: None,
            device: DeviceChoice::Cpu,
            vocab_size: 300,
            seed: 0,
            conversion: ConversionRequest::default(),
            within_memory: true,
            hub: HubOptions::from_env(),
        }
    }

    fn load(request: &ModelRequest) -> Result<(Model, ModelKind)> {
        load_model(request, &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn what_was_loaded_is_said() {
        let (model, kind) = load(&request("byte-moe")).unwrap();
        assert_eq!((kind, model.moe().is_some()), (ModelKind::Moe, false));
        let (model, kind) = load(&request("seeded:qwen")).unwrap();
        assert_eq!((kind, model.vocab_size()), (ModelKind::Dense, 300));
        assert!(model.moe().is_some(), "converted on the way");
        for source in ModelSource::built_in() {
            assert_eq!(source.kind(), Some(load(&request(&source.name())).unwrap().1), "{source:?}");
        }
        assert!(load(&request("no such thing")).unwrap_err().to_string().contains("seeded:phi"));
    }

    #[test]
    fn a_conversion_that_was_asked_for_is_refused_for_a_mixture() {
        let conversion = ConversionRequest { asked_by: Some("--top-k"), ..ConversionRequest::default() };
        let error =
            load(&ModelRequest { conversion: conversion.clone(), ..request("byte-moe") }).unwrap_err();
        assert!(error.to_string().contains("--top-k is for dense models"), "{error}");
        assert!(load(&ModelRequest { conversion, ..request("seeded:phi") }).is_ok());
    }

    #[test]
    fn clusters_and_layers_are_reported_and_end_the_loading() {
        let sequences = vec![(0..40).collect()];
        let conversion =
            ConversionRequest { gates: GateInit::Kmeans(sequences), ..ConversionRequest::default() };
        let request = ModelRequest { conversion, ..request("seeded:phi") };
        let mut steps = Vec::new();
        load_model(&request, &mut |step| {
            steps.push(match step {
                LoadStep::Download(_) => "download",
                LoadStep::Clusters { .. } => "clusters",
                LoadStep::Layer { .. } => "layer",
            });
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(steps.first(), Some(&"clusters"));
        assert_eq!(steps.iter().filter(|s| **s == "layer").count(), 4);
        assert!(load_model(&request, &mut |_| ControlFlow::Break(())).is_err());
    }

    #[test]
    fn only_the_layers_asked_for_are_needed() {
        assert!(is_needed("model.layers.1.mlp.fc1.weight", Some(2)) && is_needed("lm_head.weight", Some(2)));
        assert!(
            !is_needed("model.layers.2.mlp.fc1.weight", Some(2)) && !is_needed("transformer.h.7.x", Some(2))
        );
        assert!(is_needed("model.layers.99.x", None));
    }

    #[test]
    fn a_vocabulary_covers_every_id() {
        assert_eq!(vocab_size(10, &[3, -200]), 10);
        assert_eq!(vocab_size(10, &[3, 50, -200]), 51);
        assert_eq!(vocab_size(0, &[]), 1);
    }
}
