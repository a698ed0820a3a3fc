//! The work of screen Compare: load side B where it is not there yet, compare the sample, then all samples.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use crate::app::panels::compare::{Compared, Outcome, Work};
use crate::diagnose::{CompareTotals, Comparison, share_vocabulary};
use crate::error::with_causes;
use crate::setup::{load_tokenizer, resolve};

/// Samples between two looks at whether the job is still wanted.
const BATCH: usize = 32;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    let Work { a, request, base, sample, samples } = work;
    let mut watch = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let base = match base {
        Some(base) => base,
        None => match load_tokenizer(&request, &mut watch) {
            Ok(base) => {
                emit(Outcome::Loaded(base.clone()));
                base
            }
            Err(error) => return emit(Outcome::Failed(with_causes(&error))),
        },
    };
    let b = match resolve(&base, &request) {
        Ok(setup) => Arc::new(setup),
        Err(error) => return emit(Outcome::Failed(with_causes(&error))),
    };
    let same_vocabulary = share_vocabulary(&a.tokenizer, &b.tokenizer);
    let compare = |sample| Comparison::aligned(a.inspect(sample), b.inspect(sample), same_vocabulary);
    let comparison = compare(&sample);
    emit(Outcome::Compared(Box::new(Compared { a: a.clone(), b: b.clone(), comparison })));
    let mut totals = CompareTotals::default();
    for batch in samples.chunks(BATCH) {
        if cancelled() {
            return;
        }
        let compared: Vec<Comparison> = batch.par_iter().map(compare).collect();
        compared.iter().for_each(|comparison| totals.add(comparison));
        emit(Outcome::Totals { totals, done: totals.samples >= samples.len() });
    }
}
