//! The work of screen Strategies: every strategy on one sample, and the generation prompt laid over each.

use std::sync::Arc;

use crate::app::panels::strategies::{Compared, Outcome, Work};
use crate::error::{Error, Result, with_causes};
use crate::masks::Masked;
use crate::masks::compare::StrategyComparison;
use crate::masks::overlay::Overlay;
use crate::setup::stop_tokens;

/// Does the work; `emit` takes each outcome, `cancelled` says that nobody waits any more.
pub fn perform(work: Work, cancelled: &dyn Fn() -> bool, emit: &mut dyn FnMut(Outcome)) {
    emit(match compare(work, cancelled) {
        Ok(Some(compared)) => Outcome::Compared(Arc::new(compared)),
        Ok(None) => return,
        Err(error) => Outcome::Failed(with_causes(&error)),
    });
}

fn compare(work: Work, cancelled: &dyn Fn() -> bool) -> Result<Option<Compared>> {
    let Work { setup, sample } = work;
    let refused = |text: &str| Error::Usage(text.to_string());
    let method = setup.chat().ok_or_else(|| refused("the set-up has no chat template"))?;
    let conversation = sample
        .conversation()
        .ok_or_else(|| refused("this record holds no messages: its labels are given, or it is plain text"))?;
    let conversation = method.with_kwargs(conversation.into_owned());
    let stops = stop_tokens(&setup.tokenizer).ids;
    let mut overlays = Vec::new();
    let comparison = StrategyComparison::new(
        method,
        &*setup.tokenizer,
        &conversation,
        &mut |turns, masked: Option<&Masked>| {
            overlays.push(masked.and_then(|masked| Overlay::new(turns, masked, &stops)));
            !cancelled()
        },
    );
    let comparison = comparison.map_err(|error| Error::Usage(with_causes(&error)))?;
    Ok(comparison.map(|comparison| Compared::new(setup, comparison, overlays, stops)))
}
