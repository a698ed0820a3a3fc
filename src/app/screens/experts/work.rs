//! The work of screen Experts: load the model, route the prompt, join the routing with the label view.

use std::sync::Arc;
use std::time::Instant;

use super::kept::{KeptModel, LoadedModel, ModelKey};
use super::routed::{ForwardRun, Routed};
use super::settings::{ExpertsSettings, ModelChoice};
use crate::app::job::JobContext;
use crate::app::view::SampleView;
use crate::error::{Error, Result, with_causes};
use crate::hub::{DownloadProgress, HubOptions};
use crate::moe::MoeError;
use crate::moe::backbone::{ForwardOptions, Model};
use crate::moe::image::positions_per_image;
use crate::moe::moe_llava::{MoeMode, MoeRequest};
use crate::moe::positions::Positions;
use crate::moe::route::route_call;
use crate::setup::{
    ConversionRequest, LoadStep, ModelKind, ModelRequest, ModelSource, load_model, vocab_size,
};

/// Seed of everything random on this screen: weights and gates of seeded models, stand-in image features.
const SEED: u64 = 0;

/// What is to be routed with what.
#[derive(Debug)]
pub struct Routing {
    pub view: Arc<SampleView>,
    pub settings: ExpertsSettings,
    /// Where a model with a hub id comes from.
    pub hub: HubOptions,
    /// The model of the run before.
    pub kept: KeptModel,
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
    let mut kept = work.kept.lock();
    if job.is_cancelled() {
        return Ok(None);
    }
    let loaded = match load(work, job, &mut kept) {
        Ok(loaded) => loaded,
        // A cancelled loading ends with an error of its own.
        Err(_) if job.is_cancelled() => return Ok(None),
        Err(error) => return Err(error),
    };
    let settings = found(&work.settings, loaded);
    loaded.set_gates(&settings)?;
    let model = &loaded.model;
    let load = start.elapsed();
    let positions = positions(&work.view, &settings, model)?;
    let inputs = positions.input_rows(model, SEED)?;
    let start = Instant::now();
    let mut watch = |done, all| {
        job.emit(ExpertsOutcome::Progress(format!("layer {done} of {all}")));
        !job.is_cancelled()
    };
    let call = match route_call(model, &[inputs], &ForwardOptions::default(), &mut watch) {
        Err(MoeError::Cancelled) => return Ok(None),
        result => result?,
    };
    let run = ForwardRun {
        backbone: model.backbone(),
        device: model.device().name().to_string(),
        hardware: model.device().hardware(),
        fallback: model.device().fallback().map(str::to_string),
        weight_bytes: model.weight_bytes(),
        load,
        forward: start.elapsed(),
    };
    Ok(Some(Routed::new(work.view.clone(), settings, positions, call, run)))
}

/// The model of the last run where it serves this one too, else it is given up and another loaded.
fn load<'a>(
    work: &Routing,
    job: &JobContext<'_>,
    kept: &'a mut Option<LoadedModel>,
) -> Result<&'a mut LoadedModel> {
    let Routing { view, settings, hub, .. } = work;
    let ids = view.labelled().map(|l| l.input_ids.as_slice()).unwrap_or_default();
    let vocab_size = vocab_size(view.setup.tokenizer.len(), ids);
    let source = settings.model.source.clone();
    let key = ModelKey {
        vocab_size: matches!(source, ModelSource::Seeded(_)).then_some(vocab_size),
        source,
        layers: settings.model.layers,
        device: settings.device,
        conversion: (settings.num_experts, settings.mode),
    };
    // Two models at a time might not fit.
    *kept = kept.take().filter(|loaded| loaded.serves(&key));
    if kept.is_none() {
        let request = ModelRequest {
            source: key.source.clone(),
            layers: key.layers,
            device: key.device,
            vocab_size,
            seed: SEED,
            conversion: ConversionRequest {
                moe: MoeRequest {
                    mode: MoeMode::parse(settings.mode, None)?,
                    num_experts: vec![settings.num_experts],
                    top_k: settings.top_k,
                    eval_capacity_factor: settings.capacity_factor.unwrap_or(settings.num_experts as f64),
                    ..MoeRequest::default()
                },
                seed: SEED,
                ..ConversionRequest::default()
            },
            within_memory: true,
            hub: hub.clone(),
        };
        let (model, kind) = load_model(&request, &mut |step| {
            job.emit(ExpertsOutcome::Progress(step_text(&step)));
            job.flow()
        })?;
        *kept = Some(LoadedModel::new(model, kind, key));
    }
    kept.as_mut().ok_or_else(|| Error::Usage("no model is loaded".into()))
}

/// The settings after the first load of a user's model: what it is, and its own k, experts and capacity.
fn found(settings: &ExpertsSettings, loaded: &LoadedModel) -> ExpertsSettings {
    if settings.model.kind.is_some() {
        return settings.clone();
    }
    let choice = ModelChoice { kind: Some(loaded.kind), ..settings.model.clone() };
    let settings = ExpertsSettings { model: choice, ..settings.clone() };
    if loaded.kind == ModelKind::Dense { settings } else { loaded.own_gates(&settings) }
}

fn step_text(step: &LoadStep) -> String {
    match step {
        LoadStep::Download(progress) => download_text(progress),
        LoadStep::Clusters { layer, layers } => format!("clusters of layer {} of {layers}", layer + 1),
        LoadStep::Layer { layer, layers } => format!("reading layer {} of {layers}", layer + 1),
    }
}

/// `downloading model.safetensors: 12.0 of 80.0 MB`.
fn download_text(progress: &DownloadProgress) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let size = progress.total.map_or(String::new(), |total| format!(" of {:.1}", megabytes(total)));
    format!("downloading {}: {:.1}{size} MB (esc ends it)", progress.file, megabytes(progress.bytes))
}

/// The positions of the sample as this model reads it.
fn positions(view: &SampleView, settings: &ExpertsSettings, model: &Model) -> Result<Positions> {
    let labelled = view.labelled().ok_or_else(|| Error::Usage("the sample has no tokens".into()))?;
    if settings.model.source.reads_bytes() {
        let prompt = view.inspection.prompt.as_deref().unwrap_or("");
        let seen = view.setup.seen_bytes(prompt, labelled);
        return Ok(Positions::of_bytes(prompt, seen, &labelled.spans, &labelled.labels)?);
    }
    let per_image = positions_per_image(settings.image_tokens, model.config());
    let max_length = Some(view.setup.model_max_length());
    Ok(Positions::of_tokens(&labelled.input_ids, &labelled.labels, per_image, max_length)?)
}
