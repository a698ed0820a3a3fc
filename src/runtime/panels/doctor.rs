//! The work of screen Doctor: label all samples, run every check; or search for a set-up that works.

use std::sync::Arc;

use rayon::prelude::*;

use crate::app::panels::doctor::{CHECKED, Outcome, SEARCHED, Work};
use crate::chat::Sample;
use crate::diagnose::{AlternativeLoad, diagnose_with, fix_search};
use crate::labels::Inspection;
use crate::setup::load_other_ways;

/// Samples between two looks at whether the job is still wanted.
const BATCH: usize = 64;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    match work {
        Work::Report { setup, request, samples } => {
            let samples = samples.get(..CHECKED).unwrap_or(&samples);
            let mut inspections: Vec<Inspection> = Vec::with_capacity(samples.len());
            // The chat checks label the samples by themselves.
            let labelled = if setup.llava().is_some() { samples } else { &[] };
            for batch in labelled.chunks(BATCH) {
                if cancelled() {
                    return;
                }
                inspections.extend(batch.par_iter().map(|s| setup.inspect(s)).collect::<Vec<_>>());
                emit(Outcome::Progress(inspections.len(), samples.len()));
            }
            let alternative_loads = match setup.chat() {
                None => AlternativeLoad::all(&setup, &load_other_ways(&request, &setup.base)),
                Some(_) => Vec::new(),
            };
            if cancelled() {
                return;
            }
            let report = diagnose_with(&setup, samples, &inspections, &alternative_loads);
            emit(Outcome::Report(Arc::new(report)));
        }
        Work::Search { setup, samples } => {
            let samples: Vec<&Sample> = samples.iter().take(SEARCHED).collect();
            // The screen asks for a search with a LLaVA template only.
            if let Some(setup) = setup.to_llava() {
                emit(Outcome::Searched(Box::new(fix_search(&setup, &samples))));
            }
        }
    }
}
