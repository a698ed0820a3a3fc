//! What a job does, whichever thread runs it.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::{panels, recent, template};
use crate::app::fix::find_fix;
use crate::app::sample_status::{PREVIEW_LIMIT, SampleState, tally};
use crate::app::{
    Data, DataSource, KnownEntry, LeftOut, Outcome, Preview, ResolvedRequest, SampleView, Work,
};
use crate::chat::jinja::TemplateSet;
use crate::chat::{Sample, SampleFile, read_sound_samples};
use crate::diagnose::token_report;
use crate::error::with_causes;
use crate::hub::{HubOptions, cached_models};
use crate::labels::IMAGE_TOKEN_INDEX;
use crate::report::explanation_lines;
use crate::samples;
use crate::setup::{CHAT, Setup, load_tokenizer, resolve};
use crate::tokenizer::explain::Explainer;
use crate::tokenizer::{Encoding, NO_ID, TokenId, Tokenizer};

/// Samples that are labelled between two looks at whether the job is still wanted.
const BATCH: usize = 64;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    match work {
        Work::LoadTokenizer(request) => {
            // A job that nobody waits for any more ends its download at the next report.
            let loaded = load_tokenizer(&request, &mut |progress| {
                emit(Outcome::Progress(Box::new(progress)));
                if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            emit(Outcome::Tokenizer(loaded.map_err(|e| with_causes(&e))));
        }
        Work::LoadSamples(source, layout) => {
            let read = match &source {
                DataSource::Embedded => samples::conversations().map(all_sound),
                DataSource::EmbeddedMessages => samples::messages().map(all_sound),
                DataSource::File(path) => read_sound_samples(path, layout, &mut |progress| {
                    emit(Outcome::Reading(progress));
                    if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .map(data),
            };
            emit(Outcome::Samples(read.map_err(|e| with_causes(&e))));
        }
        Work::Inspect { wish, index, sample } => {
            let view = resolve(&wish.base, &wish.request)
                .map(|setup| Arc::new(SampleView::new(Arc::new(setup), index, &sample)));
            emit(Outcome::Inspected(view.map_err(|e| with_causes(&e))));
        }
        Work::Survey { setup, samples } => survey(&setup, &samples, cancelled, emit),
        Work::Preview { wish, sample, samples } => {
            emit(Outcome::Previewed(preview(&wish, &sample, &samples)));
        }
        Work::FindFix { wish, sample, samples } => {
            emit(Outcome::Fix(find_fix(&wish, &sample, &samples, cancelled).map(Box::new)));
        }
        Work::ListTemplates(base) => emit(Outcome::Known(known_templates(&base))),
        Work::ListTokenizers(hub) => emit(Outcome::Known(known_tokenizers(&hub))),
        Work::Remember(tokenizer) => recent::remember(&tokenizer),
        Work::Explain { view, index } => emit(Outcome::Explained(explain(&view, index))),
        Work::RenderTemplate(work) => emit(Outcome::Rendered(template::render(&work))),
        Work::Special(setup) => emit(Outcome::Special(Box::new(token_report(&setup)))),
        Work::Panel(work) => panels::perform(work, cancelled, &mut |outcome| emit(Outcome::Panel(outcome))),
        Work::Vocabulary(tokenizer) => emit(Outcome::Vocabulary(Arc::new(tokenizer.vocabulary()))),
    }
}

fn all_sound(samples: Vec<Sample>) -> Data {
    Data { samples: Arc::new(samples), left_out: None }
}

fn data(file: SampleFile) -> Data {
    let left_out = file.first_problem.map(|first| LeftOut { count: file.left_out, first: first.to_string() });
    Data { samples: Arc::new(file.samples), left_out }
}

fn survey(setup: &Setup, samples: &[Sample], cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    let mut first = 0;
    for batch in samples.chunks(BATCH) {
        if cancelled() {
            return;
        }
        let states: Vec<SampleState> =
            batch.par_iter().map(|sample| SampleState::of(setup, &setup.inspect(sample))).collect();
        let next = first + batch.len();
        emit(Outcome::Surveyed { first, states, done: next >= samples.len() });
        first = next;
    }
}

fn preview(wish: &ResolvedRequest, sample: &Sample, samples: &[Sample]) -> Result<Preview, String> {
    let setup = resolve(&wish.base, &wish.request).map_err(|e| with_causes(&e))?;
    let current = SampleState::of(&setup, &setup.inspect(sample));
    let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
    Ok(Preview { current, tally: tally(&setup, samples) })
}

/// Recent tokenizers first, then those of the cache.
fn known_tokenizers(hub: &HubOptions) -> Vec<KnownEntry> {
    let mut known: Vec<KnownEntry> = recent::recent()
        .into_iter()
        .map(|spec| KnownEntry { spec, detail: "loaded lately".to_string() })
        .collect();
    for model in cached_models(hub) {
        let id = model.id.to_string();
        let spec = id.strip_suffix("@main").map(str::to_string).unwrap_or(id);
        if !known.iter().any(|k| k.spec == spec) {
            known.push(KnownEntry { spec, detail: format!("in the cache: {}", model.files.join(", ")) });
        }
    }
    known
}

/// The tokenizer's own chat templates, then template files of the current folder.
fn known_templates(base: &Tokenizer) -> Vec<KnownEntry> {
    let set = TemplateSet::discover(&base.files).unwrap_or_default();
    let own = set.names().map(|name| {
        let spec = if name == "default" { CHAT.to_string() } else { format!("{CHAT}:{name}") };
        KnownEntry { spec, detail: "the tokenizer's own chat template".to_string() }
    });
    let mut known: Vec<KnownEntry> = own.collect();
    let entries = std::fs::read_dir(".")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<String> = entries.filter(|name| name.ends_with(".jinja")).collect();
    files.sort();
    let detail = "a file of the current folder";
    known.extend(files.into_iter().map(|spec| KnownEntry { spec, detail: detail.to_string() }));
    known
}

/// Why a token is there, in lines.
fn explain(view: &SampleView, index: usize) -> Result<Vec<String>, String> {
    let (Some(labelled), Some(prompt)) = (view.labelled(), view.inspection.prompt.as_deref()) else {
        return Err("there are no tokens".to_string());
    };
    if labelled.input_ids.get(index) == Some(&IMAGE_TOKEN_INDEX) {
        let text = "the place of an image: the training code cuts the text at <image> and puts -200 between the parts";
        return Ok(vec![text.to_string()]);
    }
    let tokenizer = &view.setup.tokenizer;
    let mut encoding = Encoding::default();
    for (id, span) in labelled.input_ids.iter().zip(&labelled.spans) {
        encoding.push(TokenId::try_from(*id).unwrap_or(NO_ID), span.clone());
    }
    let explainer = Explainer::new(tokenizer).map_err(|e| with_causes(&e))?;
    match explainer.explain(prompt, &encoding, index).map_err(|e| with_causes(&e))? {
        Some(explanation) => Ok(explanation_lines(tokenizer, prompt, &explanation)),
        None => Err("there is no such token".to_string()),
    }
}
