//! The work of screen Experts: load the model, run the prompt through it, join the routing with the label view.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::app::SampleView;
use crate::app::panels::experts::routed::{Routed, Row, Run, byte_rows, token_rows};
use crate::app::panels::experts::settings::{ModelPick, Settings};
use crate::app::panels::experts::{Outcome, Work};
use crate::error::{Error, Result};
use crate::moe::MoeError;
use crate::moe::backbone::{Conversion, ForwardOptions, Gates, InputRow, LoadOptions, Model};
use crate::moe::image::{ImageOptions, expand};
use crate::moe::moe_llava::{MoeConfig, MoeMode, MoeRequest};
use crate::moe::sample::MAX_BYTES;
use crate::setup::ModelSource;
use crate::tokenizer::TokenId;

/// Seed of everything random on this screen: weights and gates of seeded models, stand-in image features.
const SEED: u64 = 0;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    match route(&work, cancelled, emit) {
        Ok(Some(routed)) => emit(Outcome::Routed(Arc::new(routed))),
        Ok(None) => {}
        Err(error) => emit(Outcome::Failed(error.to_string())),
    }
}

/// `None` when nobody waits any more.
fn route(work: &Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) -> Result<Option<Routed>> {
    let settings = work.settings;
    let start = Instant::now();
    emit(Outcome::Progress(format!("loading {}", settings.model.name())));
    let model = load(&work.view, &settings)?;
    let load = start.elapsed();
    if cancelled() {
        return Ok(None);
    }
    let (input, rows) = inputs(&work.view, &settings, &model)?;
    let start = Instant::now();
    let mut watch = |done, all| {
        emit(Outcome::Progress(format!("layer {done} of {all}")));
        !cancelled()
    };
    let forward = match model.forward_watched(&[input], &ForwardOptions::default(), &mut watch) {
        Err(MoeError::Cancelled) => return Ok(None),
        result => result?,
    };
    let run = Run {
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

fn load(view: &SampleView, settings: &Settings) -> Result<Model> {
    let ids = view.labelled().map(|l| l.input_ids.as_slice()).unwrap_or_default();
    let largest = ids.iter().filter_map(|id| TokenId::try_from(*id).ok()).max();
    // A vocabulary may have holes: ids can lie beyond its number of tokens.
    let vocab = view.setup.tokenizer.len().max(largest.map_or(1, |id| id as usize + 1));
    let source = ModelSource::parse(&settings.model.name())?;
    let hub = crate::hub::HubOptions::from_env();
    let (config, checkpoint) = source.open(vocab, SEED, None, &hub, &mut |_| ControlFlow::Continue(()))?;
    let mut options = LoadOptions::default();
    if let ModelPick::Seeded(_) = settings.model {
        let request = MoeRequest {
            mode: MoeMode::parse(settings.mode, None)?,
            num_experts: vec![settings.num_experts],
            top_k: settings.top_k,
            eval_capacity_factor: settings.capacity_factor.unwrap_or(settings.num_experts as f64),
            ..MoeRequest::default()
        };
        options.conversion = Some(Conversion::seeded(MoeConfig::new(&request, config.layers()?)?, SEED));
    }
    let mut model = Model::load(&config, &checkpoint, &options)?;
    if settings.model == ModelPick::Bytes {
        let capacity = settings.capacity_factor.map(|factor| (factor, 0));
        model.regate(Gates { top_k: settings.top_k, capacity })?;
    }
    Ok(model)
}

/// The rows of the forward, and what each of them is.
#[allow(clippy::type_complexity)]
fn inputs(
    view: &SampleView,
    settings: &Settings,
    model: &Model,
) -> Result<(Vec<InputRow>, (Vec<Row>, Vec<std::ops::Range<usize>>, usize))> {
    if settings.model == ModelPick::Bytes {
        let prompt = view.inspection.prompt.as_deref().unwrap_or("");
        if prompt.len() > MAX_BYTES {
            let n = prompt.len();
            return Err(Error::Usage(format!("the prompt has {n} bytes, the byte model takes {MAX_BYTES}")));
        }
        let input = prompt.bytes().map(|b| InputRow::Token(TokenId::from(b))).collect();
        return Ok((input, byte_rows(view)));
    }
    let labelled = view.labelled().ok_or_else(|| Error::Usage("the sample has no tokens".into()))?;
    let options = ImageOptions {
        rows_per_image: settings.image_tokens,
        max_length: Some(view.setup.options.model_max_length),
    };
    let expanded = expand(&labelled.input_ids, &labelled.labels, &options, 0)?;
    let rows = token_rows(view, &expanded.rows, expanded.truncated);
    Ok((expanded.input_rows(model, SEED)?, rows))
}
