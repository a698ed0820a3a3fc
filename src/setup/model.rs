//! What a `--checkpoint` or `--moe-sample` value points to: an embedded model, a seeded one, a folder, or a hub id.
//!
//! From the hub come `config.json`, the index, and the shards that hold a tensor of the layers asked for; nothing
//! else of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Watch;
use crate::error::{Error, Result};
use crate::hub::{HubId, HubOptions, Wanted, fetch};
use crate::moe::checkpoint::{Checkpoint, layer_of};
use crate::moe::config::Config;
use crate::moe::sample;
use crate::moe::seeded::{SEEDED, seeded};

/// Prefix of a seeded model.
pub const SEEDED_PREFIX: &str = "seeded:";

/// The file that says which shard holds a tensor.
const INDEX: &str = "model.safetensors.index.json";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// An embedded model, by name: it reads bytes.
    Sample(String),
    /// A small model of a backbone with random weights and the tokenizer's own vocabulary.
    Seeded(String),
    Folder(PathBuf),
    Hub(HubId),
}

impl ModelSource {
    /// Reads `byte-moe`, `seeded:NAME`, a folder or file that exists, or a hub id.
    ///
    /// # Errors
    /// None of these; the message lists what is built in.
    pub fn parse(spec: &str) -> Result<Self> {
        if let Some(name) = spec.strip_prefix(SEEDED_PREFIX) {
            return match SEEDED.contains(&name) {
                true => Ok(Self::Seeded(name.to_string())),
                false => Err(Error::UnknownName {
                    kind: "seeded model",
                    name: name.to_string(),
                    known: SEEDED.map(String::from).to_vec(),
                }),
            };
        }
        if sample::SAMPLES.contains(&spec) {
            return Ok(Self::Sample(spec.to_string()));
        }
        if Path::new(spec).exists() {
            return Ok(Self::Folder(PathBuf::from(spec)));
        }
        HubId::parse(spec).map(Self::Hub).map_err(|_| {
            Error::Usage(format!(
                "{spec}: no such folder, and no hub id (org/name or org/name@revision); built in are {}",
                Self::built_in().join(", ")
            ))
        })
    }

    /// All models that need no file.
    pub fn built_in() -> Vec<String> {
        let seeded = SEEDED.iter().map(|name| format!("{SEEDED_PREFIX}{name}"));
        sample::SAMPLES.iter().map(ToString::to_string).chain(seeded).collect()
    }

    /// True for the model that reads the prompt's bytes instead of its tokens.
    pub fn reads_bytes(&self) -> bool {
        matches!(self, Self::Sample(_))
    }

    /// As a title names it.
    pub fn name(&self) -> String {
        match self {
            Self::Sample(name) => name.clone(),
            Self::Seeded(name) => format!("{SEEDED_PREFIX}{name}"),
            Self::Folder(path) => path.display().to_string(),
            Self::Hub(id) => id.to_string(),
        }
    }

    /// Config and weights. `vocab_size` and `seed` make a seeded model; of a folder or a repository only what the
    /// first `layers` layers need is opened.
    ///
    /// # Errors
    /// What the hub refuses, files that are missing or malformed.
    pub fn open(
        &self,
        vocab_size: usize,
        seed: u64,
        layers: Option<usize>,
        hub: &HubOptions,
        watch: Watch<'_>,
    ) -> Result<(Config, Checkpoint)> {
        match self {
            Self::Sample(name) => Ok(sample::open(name)?),
            Self::Seeded(name) => Ok(seeded(name, vocab_size, seed)?),
            Self::Folder(path) => open_folder(path, layers),
            Self::Hub(id) => open_folder(&download(id, layers, hub, watch)?, layers),
        }
    }
}

fn open_folder(folder: &Path, layers: Option<usize>) -> Result<(Config, Checkpoint)> {
    let checkpoint = Checkpoint::open_where(folder, &|tensor| is_needed(tensor, layers))?;
    Ok((Config::open(folder)?, checkpoint))
}

/// Bytes that the layers take in memory, as f32.
pub fn layer_bytes(checkpoint: &Checkpoint, layers: Option<usize>) -> usize {
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
fn download(id: &HubId, layers: Option<usize>, hub: &HubOptions, watch: Watch<'_>) -> Result<PathBuf> {
    let first = |file: &str| file == "config.json" || file == INDEX;
    let folder = fetch(id, hub, Wanted::Matching(&first), watch)?;
    let index = folder.join(INDEX);
    let mut files = BTreeSet::from(["config.json".to_string()]);
    if index.exists() {
        files.insert(INDEX.to_string());
        files.extend(crate::moe::checkpoint::shard_names(&index, &|tensor| is_needed(tensor, layers))?);
    } else {
        files.insert("model.safetensors".to_string());
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    Ok(fetch(id, hub, Wanted::Named(&names), watch)?)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn words_folders_and_hub_ids_are_told_apart() {
        let parse = |spec: &str| ModelSource::parse(spec).map(|s| s.name());
        assert_eq!(ModelSource::parse("byte-moe").unwrap(), ModelSource::Sample("byte-moe".into()));
        assert_eq!(ModelSource::parse("seeded:phi").unwrap(), ModelSource::Seeded("phi".into()));
        assert!(matches!(ModelSource::parse("org/name@main").unwrap(), ModelSource::Hub(_)));
        assert!(matches!(ModelSource::parse("src").unwrap(), ModelSource::Folder(_)));
        assert!(parse("seeded:gpt").unwrap_err().to_string().contains("phi"));
        assert!(parse("no such thing").unwrap_err().to_string().contains("seeded:phi"));
        assert_eq!(ModelSource::built_in().len(), 1 + SEEDED.len());
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
    fn a_seeded_model_has_the_vocabulary_asked_for() {
        let source = ModelSource::parse("seeded:qwen").unwrap();
        let mut watch = |_| ControlFlow::Continue(());
        let (config, _) = source.open(151_000, 0, None, &HubOptions::from_env(), &mut watch).unwrap();
        assert_eq!(config.size("vocab_size").unwrap(), 151_000);
    }
}
