//! Writing a converted checkpoint: a dense folder in, a MoE-LLaVA-style folder out, streamed tensor by
//! tensor.
//!
//! Everything goes to a temporary folder beside the target, which is renamed at the very end: a full disk
//! or a kill leaves no half checkpoint under the wanted name. In that folder config.json comes last, so that not even
//! what a kill leaves there loads as a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::backbone::{Conversion, Upcycling, default_bias, default_linear, gate_rows, upcycling};
use super::checkpoint::{Checkpoint, TensorSource, write_watched};
use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::seed::Rng;
use crate::{atomic_write, guard};

/// Bytes of one weight file at most, unless a single tensor is larger; transformers' own default is 5 GB.
const SHARD_BYTES: usize = 5_000_000_000;
/// Files beside the weights larger than this are not copied (they are no tokenizer or config).
const SIDE_FILE_BYTES: u64 = 64 << 20;

/// Where the checkpoint of a multimodal model keeps its language model. MoE-LLaVA's classes have no such level.
const NESTED: &str = "language_model.";

/// A named tensor to be written.
type Entry<'a> = (String, TensorSource<'a>);

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub folder: PathBuf,
    /// Weight files, in order.
    pub files: Vec<PathBuf>,
    pub tensors: usize,
    /// Folders that earlier runs to the same target left behind when they were killed (or that others write now).
    pub leftovers: Vec<PathBuf>,
    /// Tensors that are no part of the language model, of a checkpoint that nests it: they are left out.
    pub outside: usize,
    /// Files beside the weights that were not copied: links that lead out of the folder, pipes, devices.
    pub refused: Vec<PathBuf>,
}

/// Called with (written, all) bytes; its `false` ends the conversion and removes what was written.
pub type ConvertWatch<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

/// Converts the dense checkpoint in `dir` and writes it to `out`.
///
/// Experts are copies of the dense MLP unless the conversion brings them, gates are f32. Side files
/// (tokenizer, generation config) are copied, scripts and other weights are not. Tensors are copied piece by piece.
///
/// # Errors
/// `out` exists, the model is an MoE model already, missing tensors, [`MoeError::Cancelled`], and what the file system
/// refuses.
pub fn convert(
    dir: &Path,
    conversion: &Conversion,
    out: &Path,
    watch: ConvertWatch<'_>,
) -> MoeResult<Written> {
    let config = Config::open(dir)?;
    let checkpoint = Checkpoint::open(dir)?;
    let upcycling = upcycling(&config)?;
    if config.has("moe") {
        return Err(MoeError::Request(format!("{} is an MoE model already (config.moe)", dir.display())));
    }
    if out.exists() {
        return Err(MoeError::Request(format!("{} exists; name a folder that does not", out.display())));
    }
    let first_mlp = format!("{NESTED}{}.", upcycling.mlp_prefix(0));
    let root = if checkpoint.names().any(|name| name.starts_with(&first_mlp)) { NESTED } else { "" };
    let outside = checkpoint.names().filter(|name| !name.starts_with(root)).count();
    let plan = TensorPlan { config: &config, checkpoint: &checkpoint, root, conversion, upcycling };
    let entries = plan.entries()?;
    let leftovers = leftovers(out)?;
    let temporary = temporary(out)?;
    std::fs::create_dir_all(&temporary).map_err(|e| MoeError::write(&temporary, e))?;
    let written = write_weights(&entries, &temporary, watch).and_then(|files| {
        let refused = copy_side_files(dir, &temporary)?;
        let config = converted_config(&config, conversion, upcycling);
        write_json(&temporary.join("config.json"), &config)?;
        atomic_write::rename(&temporary, out).map_err(|e| MoeError::write(out, e))?;
        Ok((files, refused))
    });
    match written {
        Ok((files, refused)) => Ok(Written {
            folder: out.to_path_buf(),
            files: files.iter().map(|name| out.join(name)).collect(),
            tensors: entries.len(),
            outside,
            leftovers,
            refused,
        }),
        Err(error) => {
            // The first error is the one to report.
            let _ = std::fs::remove_dir_all(&temporary);
            Err(error)
        }
    }
}

/// A name beside `out` that no other run uses.
fn temporary(out: &Path) -> MoeResult<PathBuf> {
    Ok(out.with_file_name(format!("{}{}{PART}", part_prefix(out)?, std::process::id())))
}

/// End of the name of a folder that is being written.
const PART: &str = ".part";

/// Beginning of the name of a folder that is being written for `out`.
fn part_prefix(out: &Path) -> MoeResult<String> {
    let name =
        out.file_name().ok_or_else(|| MoeError::Request(format!("{} is no folder name", out.display())))?;
    Ok(format!(".{}.", name.to_string_lossy()))
}

/// What killed runs to `out` left beside it.
fn leftovers(out: &Path) -> MoeResult<Vec<PathBuf>> {
    let prefix = part_prefix(out)?;
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|e| e.path());
    let is_part = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(PART))
            .is_some_and(|id| id.parse::<u32>().is_ok())
    };
    Ok(names.filter(is_part).collect())
}

/// config.json as MoE-LLaVA's class reads it: its model_type, the `moe` object, and the keys of transformers 4, which
/// knows neither `rope_parameters` nor `dtype`.
fn converted_config(config: &Config, conversion: &Conversion, upcycling: Upcycling) -> Value {
    let mut keys = config.keys().clone();
    if let Some(Value::Object(mut rope)) = keys.remove("rope_parameters") {
        for key in ["rope_theta", "partial_rotary_factor"] {
            keys.extend(rope.remove(key).map(|value| (key.to_owned(), value)));
        }
        let kind = rope.remove("rope_type").unwrap_or(json!("default"));
        rope.insert("type".into(), kind.clone());
        let scaling = if kind == "default" { Value::Null } else { Value::Object(rope) };
        keys.insert("rope_scaling".into(), scaling);
    }
    if let Some(dtype) = keys.remove("dtype") {
        keys.insert("torch_dtype".into(), dtype);
    }
    keys.insert("model_type".into(), json!(upcycling.model_type));
    keys.insert("architectures".into(), json!([upcycling.class]));
    keys.insert("moe".into(), conversion.moe.to_json());
    Value::Object(keys)
}

/// Writes the weight files and their index; gives the files' names.
fn write_weights(entries: &[Entry<'_>], folder: &Path, watch: ConvertWatch<'_>) -> MoeResult<Vec<String>> {
    let total = entries.iter().map(|(_, source)| source.bytes()).sum::<MoeResult<usize>>()?;
    let mut done = 0;
    let mut count_bytes = |bytes| {
        done += bytes;
        watch(done, total)
    };
    let shards = shards(entries)?;
    let mut names = Vec::new();
    let mut weight_map = Map::new();
    let mut rest = entries;
    for (n, count) in shards.iter().enumerate() {
        let (part, after) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
        rest = after;
        let name = match shards.len() {
            1 => "model.safetensors".to_owned(),
            total => format!("model-{:05}-of-{total:05}.safetensors", n + 1),
        };
        write_watched(&folder.join(&name), part, &mut count_bytes)?;
        weight_map.extend(part.iter().map(|(tensor, _)| (tensor.clone(), json!(name))));
        names.push(name);
    }
    if names.len() > 1 {
        let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
        write_json(&folder.join("model.safetensors.index.json"), &index)?;
    }
    Ok(names)
}

/// How many entries go into each file.
fn shards(entries: &[Entry<'_>]) -> MoeResult<Vec<usize>> {
    let mut shards = Vec::new();
    let (mut count, mut bytes) = (0, 0usize);
    for (_, source) in entries {
        let size = source.bytes()?;
        if count > 0 && bytes + size > SHARD_BYTES {
            shards.push(count);
            (count, bytes) = (0, 0);
        }
        count += 1;
        bytes += size;
    }
    shards.push(count);
    Ok(shards)
}

fn write_json(path: &Path, value: &Value) -> MoeResult<()> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    std::fs::write(path, text + "\n").map_err(|e| MoeError::write(path, e))
}

/// Copies tokenizer and config files: plain files of known kinds, never scripts or weights. Gives those that are none or
/// lie elsewhere: a folder from a stranger could have anything of this machine copied by a link.
fn copy_side_files(from: &Path, to: &Path) -> MoeResult<Vec<PathBuf>> {
    let kinds = ["json", "jinja", "model", "txt", "tiktoken"];
    let entries = std::fs::read_dir(from).map_err(|e| MoeError::io(from, e))?;
    let mut refused = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| MoeError::io(from, e))?.path();
        if guard::check_inside(from, &path).is_err() {
            refused.push(path);
            continue;
        }
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= SIDE_FILE_BYTES);
        if small && kinds.contains(&kind) && name != "config.json" && !name.ends_with(".index.json") {
            std::fs::copy(&path, to.join(name)).map_err(|e| MoeError::io(&path, e))?;
        }
    }
    refused.sort();
    Ok(refused)
}

/// Which tensors the converted checkpoint has.
struct TensorPlan<'a> {
    config: &'a Config,
    checkpoint: &'a Checkpoint,
    /// In front of the names of the checkpoint's tensors, not of those that are written.
    root: &'a str,
    conversion: &'a Conversion,
    upcycling: Upcycling,
}

impl<'a> TensorPlan<'a> {
    fn entries(&self) -> MoeResult<Vec<Entry<'a>>> {
        let moe = &self.conversion.moe;
        // Prefix of every converted MLP, with its layer.
        let prefixes: BTreeMap<String, usize> =
            moe.moe_layers_idx.iter().map(|&l| (format!("{}.", self.upcycling.mlp_prefix(l)), l)).collect();
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        for name in self.checkpoint.names() {
            let Some(plain) = name.strip_prefix(self.root) else { continue };
            let converted =
                prefixes.iter().find_map(|(p, &layer)| Some((layer, plain.strip_prefix(p.as_str())?)));
            match converted {
                Some((layer, part)) => {
                    *seen.entry(layer).or_insert(0) += 1;
                    self.mlp_tensor(layer, name, part, &mut entries)?;
                }
                // MoE-LLaVA's Phi head has no bias.
                None if plain == "lm_head.bias" => {}
                None => entries.push((plain.to_owned(), self.copy(self.checkpoint, name))),
            }
        }
        for (prefix, layer) in &prefixes {
            if !seen.contains_key(layer) {
                let name = format!("{}{prefix}", self.root);
                return Err(self.checkpoint.error(&name, "no tensor of this MLP is in the checkpoint"));
            }
            self.gate(*layer, &mut entries)?;
        }
        Ok(entries)
    }

    fn copy(&self, from: &'a Checkpoint, name: &str) -> TensorSource<'a> {
        TensorSource::Copy { from, name: name.to_owned() }
    }

    /// One tensor of a dense MLP becomes one a expert, and one of the residual MLP.
    fn mlp_tensor(
        &self,
        layer: usize,
        name: &str,
        part: &str,
        entries: &mut Vec<Entry<'a>>,
    ) -> MoeResult<()> {
        let prefix = self.upcycling.mlp_prefix(layer);
        let num_experts = self.conversion.moe.experts_of(layer).unwrap_or(0);
        let (shape, hidden) = (&self.checkpoint.info(name)?.shape, self.config.size("hidden_size")?);
        // The gates are made of hidden_size: a wrong one must not pass, nor decide how much memory they take.
        if shape.len() == 2 && !shape.contains(&hidden) {
            let message = format!("has shape {shape:?}, and hidden_size in config.json is {hidden}");
            return Err(self.checkpoint.error(name, message));
        }
        for e in 0..num_experts {
            let expert = format!("{prefix}.deepspeed_moe.experts.deepspeed_experts.{e}.{part}");
            let source = match &self.conversion.weights {
                Some(file) if self.conversion.experts_from_weights => {
                    file.expect_shape(&expert, &self.checkpoint.info(name)?.shape)?;
                    self.copy(file, &expert)
                }
                _ => self.copy(self.checkpoint, name),
            };
            entries.push((expert, source));
        }
        if self.conversion.moe.use_residual {
            entries.push((format!("{prefix}.mlp.{part}"), self.copy(self.checkpoint, name)));
        }
        Ok(())
    }

    /// `wg` and, with use_residual, the coefficient; drawn exactly as [`super::backbone`] draws them.
    fn gate(&self, layer: usize, entries: &mut Vec<Entry<'a>>) -> MoeResult<()> {
        let c = self.conversion;
        let prefix = self.upcycling.mlp_prefix(layer);
        let (hidden, e) = (self.config.size("hidden_size")?, c.moe.experts_of(layer).unwrap_or(0));
        let mut rng = Rng::new(c.seed).fork(layer as u64);
        let name = format!("{prefix}.deepspeed_moe.gate.wg.weight");
        let values = match (c.gates.get(&layer), &c.weights) {
            (Some(gate), _) => gate.clone(),
            (None, Some(file)) => gate_rows(file, &name, e, hidden)?,
            (None, None) => default_linear(e, hidden, &mut rng.clone()),
        };
        entries.push((name, TensorSource::F32 { shape: vec![e, hidden], values }));
        if !c.moe.use_residual {
            return Ok(());
        }
        let name = format!("{prefix}.coefficient");
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        match &c.weights {
            Some(file) if file.contains(&weight) => {
                entries.push((weight.clone(), self.copy(file, &weight)));
                entries.push((bias.clone(), self.copy(file, &bias)));
            }
            _ => {
                rng = rng.fork(1);
                let values = default_linear(2, hidden, &mut rng);
                entries.push((weight, TensorSource::F32 { shape: vec![2, hidden], values }));
                let values = default_bias(2, hidden, &mut rng);
                entries.push((bias, TensorSource::F32 { shape: vec![2], values }));
            }
        }
        Ok(())
    }
}
