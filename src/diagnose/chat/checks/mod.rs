//! The chat checks, one a file. Their ids go on from those of the LLaVA checks.

mod answer_parts;
mod answer_seam;
mod double_bos;
mod generation_prompt;
mod generation_tag;
mod generation_tag_place;
mod header_learned;
mod inserted_learned;
mod mask_extent;
mod other_turns;
mod prefix;
mod prompt_ignored;
mod prompt_length;
mod response_marker;
mod stop_learned;
mod terminator;
mod trainer_fails;
mod truncation;
mod unknown_tokens;

use super::context::{ChatContext, Facts, supervised};
use crate::diagnose::checks::Outcome;
use crate::diagnose::finding::{Finding, Verdict};
use crate::masks::Strategy;
use crate::masks::overlay::Answer;

/// A chat check: a stable id, a title, and a function of the context.
#[derive(Debug, Clone, Copy)]
pub struct ChatCheck {
    pub id: &'static str,
    pub title: &'static str,
    run: fn(&ChatContext<'_>) -> Outcome,
}

/// All chat checks, by id.
pub const CHAT_CHECKS: &[ChatCheck] = &[
    terminator::CHECK,
    stop_learned::CHECK,
    mask_extent::CHECK,
    generation_tag::CHECK,
    generation_tag_place::CHECK,
    header_learned::CHECK,
    inserted_learned::CHECK,
    other_turns::CHECK,
    prefix::CHECK,
    prompt_length::CHECK,
    response_marker::CHECK,
    answer_seam::CHECK,
    truncation::CHECK,
    double_bos::CHECK,
    unknown_tokens::CHECK,
    prompt_ignored::CHECK,
    generation_prompt::CHECK,
    trainer_fails::CHECK,
    answer_parts::CHECK,
];

impl ChatCheck {
    /// Runs the check.
    pub fn run(&self, context: &ChatContext<'_>) -> Finding {
        let Outcome { verdict, samples, evidence, cause, fix } = (self.run)(context);
        Finding { id: self.id, verdict, title: self.title, samples, evidence, cause, fix }
    }
}

impl Outcome {
    /// With the first other strategy that repairs some of the samples, where there is one.
    fn other_strategy(self, context: &ChatContext<'_>) -> Self {
        let fix = context.better_strategy(&self.samples);
        self.with_fix(fix)
    }
}

/// Indices of samples, each once, in order.
fn indices<'f>(facts: impl IntoIterator<Item = &'f Facts>) -> Vec<usize> {
    let mut indices: Vec<usize> = facts.into_iter().map(|facts| facts.index).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// `3 of 40 answers, first in sample 7, message 2`.
fn first_of(context: &ChatContext<'_>, found: &[(&Facts, &Answer)]) -> String {
    let all = context.answers(|answer| answer.supervised > 0).len();
    match found.first() {
        Some((facts, answer)) => {
            format!(
                "{} of {all} learned answers; first: {}, message {}",
                found.len(),
                facts.id,
                answer.message
            )
        }
        None => "none".to_string(),
    }
}

/// The reason to skip what needs labels on the rendered text.
fn own_ids(context: &ChatContext<'_>) -> Option<Outcome> {
    if let Some(skipped) = for_inference(context) {
        return Some(skipped);
    }
    let nothing = context.samples.iter().all(|facts| facts.overlay.is_none());
    let own = !context.plan.strategy.needs_template();
    (nothing && own).then(|| {
        Outcome::skipped("the strategy encodes turns by itself: its ids are not those of the rendered text")
    })
}

/// The reason to skip what needs labels at all.
fn for_inference(context: &ChatContext<'_>) -> Option<Outcome> {
    (context.plan.strategy == Strategy::Render)
        .then(|| Outcome::skipped("nothing is to be learned: the text is rendered for inference"))
}
