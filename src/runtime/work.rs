//! What a job does, whichever thread runs it.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::panels;
use crate::app::fix::find_fix;
use crate::app::survey::{PREVIEW_LIMIT, SampleState, tally};
use crate::app::{DataSource, Outcome, Preview, SampleView, Wish, Work};
use crate::chat::{Sample, read_samples};
use crate::diagnose::special_truth;
use crate::samples;
use crate::setup::{Setup, load_tokenizer, resolve};

/// Samples that are labelled between two looks at whether the job is still wanted.
const BATCH: usize = 64;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    match work {
        Work::LoadTokenizer(request) => {
            // A job that nobody waits for any more ends its download at the next report.
            let mut watch = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            emit(Outcome::Tokenizer(load_tokenizer(&request, &mut watch).map_err(|e| e.to_string())));
        }
        Work::LoadSamples(source) => {
            let read = match &source {
                DataSource::Embedded => samples::conversations(),
                DataSource::File(path) => read_samples(path),
            };
            emit(Outcome::Samples(read.map(Arc::new).map_err(|e| e.to_string())));
        }
        Work::Inspect { wish, index, sample } => {
            let view = resolve(&wish.base, &wish.request)
                .map(|setup| Arc::new(SampleView::new(Arc::new(setup), index, &sample)));
            emit(Outcome::Inspected(view.map_err(|e| e.to_string())));
        }
        Work::Survey { setup, samples } => survey(&setup, &samples, cancelled, emit),
        Work::Preview { wish, sample, samples } => {
            emit(Outcome::Previewed(preview(&wish, &sample, &samples)));
        }
        Work::FindFix { wish, sample, samples } => {
            emit(Outcome::Fix(find_fix(&wish, &sample, &samples, cancelled).map(Box::new)));
        }
        Work::Special(setup) => emit(Outcome::Special(Box::new(special_truth(&setup)))),
        Work::Panel(work) => panels::perform(work, cancelled, &mut |outcome| emit(Outcome::Panel(outcome))),
        Work::Vocabulary(tokenizer) => emit(Outcome::Vocabulary(Arc::new(tokenizer.vocabulary()))),
    }
}

fn survey(setup: &Setup, samples: &[Sample], cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    let mut first = 0;
    for batch in samples.chunks(BATCH) {
        if cancelled() {
            return;
        }
        let states: Vec<SampleState> =
            batch.par_iter().map(|sample| SampleState::of(&setup.inspect(sample))).collect();
        let next = first + batch.len();
        emit(Outcome::Surveyed { first, states, done: next >= samples.len() });
        first = next;
    }
}

fn preview(wish: &Wish, sample: &Sample, samples: &[Sample]) -> Result<Preview, String> {
    let setup = resolve(&wish.base, &wish.request).map_err(|e| e.to_string())?;
    let current = SampleState::of(&setup.inspect(sample));
    let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
    Ok(Preview { current, tally: tally(&setup, samples) })
}
