//! The work of screen Experts: load the model, run the prompt through it, join the routing with the label view.

use std::sync::Arc;
use std::time::Instant;

use super::routed::{ForwardRow, ForwardRun, Routed, byte_rows, seen_bytes, token_rows};
use super::settings::{ModelPick, Own, OwnKind, Settings};
use crate::app::job::JobContext;
use crate::app::view::SampleView;
use crate::error::{Error, Result, with_causes};
use crate::hub::{HubOptions, Progress};
use crate::moe::MoeError;
use crate::moe::backbone::{
    Conversion, Device, DeviceChoice, ForwardOptions, Gates, InputRow, LoadOptions, Model, is_dense,
};
use crate::moe::image::{ImageOptions, expand, rows_per_image};
use crate::moe::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use crate::moe::sample::MAX_BYTES;
use crate::setup::{ModelSource, layer_bytes};
use crate::tokenizer::TokenId;

/// Seed of everything random on this screen: weights and gates of seeded models, stand-in image features.
const SEED: u64 = 0;

/// What is to be routed with what.
#[derive(Debug)]
pub struct Routing {
    pub view: Arc<SampleView>,
    pub settings: Settings,
    /// Where a model with a hub id comes from.
    pub hub: HubOptions,
}

/// What came of it.
#[derive(Debug)]
pub enum ExpertsOutcome {
    /// What is being done.
    Progress(String),
    Routed(Arc<Routed>),
    Failed(String),
}

impl Routing {
    /// Does the work of a job.
    pub fn run(self, job: &JobContext<'_>) {
        match route(&self, job) {
            Ok(Some(routed)) => job.emit(ExpertsOutcome::Routed(Arc::new(routed))),
            Ok(None) => {}
            Err(error) => job.emit(ExpertsOutcome::Failed(with_causes(&error))),
        }
    }
}

/// `None` when the job was cancelled.
fn route(work: &Routing, job: &JobContext<'_>) -> Result<Option<Routed>> {
    let start = Instant::now();
    job.emit(ExpertsOutcome::Progress(format!("loading {}", work.settings.model.name())));
    let (model, settings) = match load(work, job) {
        Ok(loaded) => loaded,
        // Whatever ended it: the outcome would be dropped.
        Err(_) if job.is_cancelled() => return Ok(None),
        Err(error) => return Err(error),
    };
    let load = start.elapsed();
    let (input, rows) = inputs(&work.view, &settings, &model)?;
    let start = Instant::now();
    let mut watch = |done, all| {
        job.emit(ExpertsOutcome::Progress(format!("layer {done} of {all}")));
        !job.is_cancelled()
    };
    let forward = match model.forward_watched(&[input], &ForwardOptions::default(), &mut watch) {
        Err(MoeError::Cancelled) => return Ok(None),
        result => result?,
    };
    let run = ForwardRun {
        backbone: model.backbone(),
        device: match model.device().hardware() {
            Some(hardware) => format!("{} ({hardware})", model.device().name()),
            None => model.device().name().to_string(),
        },
        fallback: model.device().fallback().map(str::to_string),
        weight_bytes: model.weight_bytes(),
        load,
        forward: start.elapsed(),
    };
    Ok(Some(Routed::new(work.view.clone(), settings, rows, forward.routings, run)))
}

/// The model, and the settings with what a model of the user's turned out to be.
fn load(work: &Routing, job: &JobContext<'_>) -> Result<(Model, Settings)> {
    let Routing { view, settings, hub } = work;
    let ids = view.labelled().map(|l| l.input_ids.as_slice()).unwrap_or_default();
    let largest = ids.iter().filter_map(|id| TokenId::try_from(*id).ok()).max();
    // A vocabulary may have holes: ids can lie beyond its number of tokens.
    let vocab = view.setup.tokenizer.len().max(largest.map_or(1, |id| id as usize + 1));
    let layers = match &settings.model {
        ModelPick::Own(own) => own.layers,
        _ => None,
    };
    let source = ModelSource::parse(&settings.model.name())?;
    let mut download = |progress: Progress| {
        job.emit(ExpertsOutcome::Progress(download_text(&progress)));
        job.flow()
    };
    let (config, checkpoint) = source.open(vocab, SEED, layers, hub, &mut download)?;
    let dense = is_dense(&config)?;
    if let ModelPick::Own(_) = settings.model {
        fits(layer_bytes(&checkpoint, layers), settings.device)?;
    }
    let mut options = LoadOptions { layers, device: settings.device, conversion: None };
    if dense {
        let request = MoeRequest {
            mode: MoeMode::parse(settings.mode, None)?,
            num_experts: vec![settings.num_experts],
            top_k: settings.top_k,
            eval_capacity_factor: settings.capacity_factor.unwrap_or(settings.num_experts as f64),
            ..MoeRequest::default()
        };
        options.conversion = Some(Conversion::seeded(MoeConfig::new(&request, config.layers()?)?, SEED));
    }
    let mut watch = |done, all| {
        job.emit(ExpertsOutcome::Progress(format!("reading layer {} of {all}", done + 1)));
        !job.is_cancelled()
    };
    let mut model = Model::load_watched(&config, &checkpoint, &options, &mut watch)?;
    let settings = found(settings, &model, dense);
    if settings.model.is_trained() && settings != own_gates(&settings, &model) {
        let min_capacity = model.moe().map_or(0, |moe| moe.min_capacity);
        let capacity = settings.capacity_factor.map(|factor| (factor, min_capacity));
        model.regate(Gates { top_k: settings.top_k, capacity })?;
    }
    Ok((model, settings))
}

/// The settings of a user's model after its first load: what it is, and its own k, experts and capacity.
fn found(settings: &Settings, model: &Model, dense: bool) -> Settings {
    let ModelPick::Own(own) = &settings.model else { return settings.clone() };
    if own.kind.is_some() {
        return settings.clone();
    }
    let kind = match (dense, model.moe()) {
        (true, _) => OwnKind::Dense,
        (false, Some(_)) => OwnKind::MoeLlava,
        (false, None) => OwnKind::Mixture,
    };
    let settings =
        Settings { model: ModelPick::Own(Own { kind: Some(kind), ..own.clone() }), ..settings.clone() };
    if dense { settings } else { own_gates(&settings, model) }
}

/// The settings with the gates that a trained model came with.
fn own_gates(settings: &Settings, model: &Model) -> Settings {
    let (num_experts, top_k) = model.gate_sizes().unwrap_or((settings.num_experts, settings.top_k));
    let capacity_factor = model.moe().map(|moe| moe.eval_capacity_factor);
    Settings { num_experts, top_k, capacity_factor, ..settings.clone() }
}

/// `downloading model.safetensors: 12.0 of 80.0 MB`.
fn download_text(progress: &Progress) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let size = progress.total.map_or(String::new(), |total| format!(" of {:.1}", megabytes(total)));
    format!("downloading {}: {:.1}{size} MB (esc ends it)", progress.file, megabytes(progress.bytes))
}

/// Refuses layers that the free memory does not hold: the system would end this program, or another.
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

/// The rows of the forward, and what each of them is.
#[allow(clippy::type_complexity)]
fn inputs(
    view: &SampleView,
    settings: &Settings,
    model: &Model,
) -> Result<(Vec<InputRow>, (Vec<ForwardRow>, Vec<std::ops::Range<usize>>, usize))> {
    if settings.model == ModelPick::Bytes {
        let prompt = seen_bytes(view);
        if prompt.len() > MAX_BYTES {
            let n = prompt.len();
            return Err(Error::Usage(format!("the prompt has {n} bytes, the byte model takes {MAX_BYTES}")));
        }
        let input = prompt.iter().map(|b| InputRow::Token(TokenId::from(*b))).collect();
        return Ok((input, byte_rows(view)));
    }
    let labelled = view.labelled().ok_or_else(|| Error::Usage("the sample has no tokens".into()))?;
    let options = ImageOptions {
        rows_per_image: rows_per_image(settings.image_tokens, model.config()),
        max_length: Some(view.setup.model_max_length()),
    };
    let expanded = expand(&labelled.input_ids, &labelled.labels, &options, 0)?;
    let rows = token_rows(view, &expanded.rows, expanded.truncated);
    Ok((expanded.input_rows(model, SEED)?, rows))
}
