//! What a chat check is, and what several of them share.

use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Finding;
use crate::masks::Strategy;
use crate::masks::overlay::LabelledAnswer;

/// A chat check: a stable id, a title, and a function of the context.
#[derive(Debug, Clone, Copy)]
pub struct ChatCheck {
    pub id: &'static str,
    pub title: &'static str,
    pub(super) run: fn(&ChatContext<'_>) -> CheckOutcome,
}

impl ChatCheck {
    /// Runs the check.
    pub fn run(&self, context: &ChatContext<'_>) -> Finding {
        let CheckOutcome { verdict, samples, evidence, cause, fix } = (self.run)(context);
        Finding { id: self.id, verdict, title: self.title, samples, evidence, cause, fix }
    }
}

impl CheckOutcome {
    /// With the first other strategy that repairs some of the samples, where there is one.
    pub(super) fn other_strategy(self, context: &ChatContext<'_>) -> Self {
        let fix = context.better_strategy(&self.samples);
        self.with_fix(fix)
    }
}

/// Indices of samples, each once, in order.
pub(super) fn indices<'f>(facts: impl IntoIterator<Item = &'f Facts>) -> Vec<usize> {
    let mut indices: Vec<usize> = facts.into_iter().map(|facts| facts.index).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// `3 of 40 answers, first in sample 7, message 2`.
pub(super) fn first_of(context: &ChatContext<'_>, found: &[(&Facts, &LabelledAnswer)]) -> String {
    let all = context.answers(|answer| answer.supervised > 0).len();
    match found.first() {
        Some((facts, answer)) => {
            format!(
                "{} of {all} supervised answers; first: {}, message {}",
                found.len(),
                facts.id,
                answer.message
            )
        }
        None => "none".to_string(),
    }
}

/// The reason to skip what needs labels on the rendered text.
pub(super) fn own_ids(context: &ChatContext<'_>) -> Option<CheckOutcome> {
    if let Some(skipped) = for_inference(context) {
        return Some(skipped);
    }
    let nothing = context.samples.iter().all(|facts| facts.overlay.is_none());
    let own = !context.plan.strategy.needs_template();
    (nothing && own).then(|| {
        CheckOutcome::skipped(
            "the strategy encodes turns by itself: its ids are not those of the rendered text",
        )
    })
}

/// The reason to skip what needs labels at all.
pub(super) fn for_inference(context: &ChatContext<'_>) -> Option<CheckOutcome> {
    (context.plan.strategy == Strategy::Render)
        .then(|| CheckOutcome::skipped("nothing is to be supervised: the text is rendered for inference"))
}
