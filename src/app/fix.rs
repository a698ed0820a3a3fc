//! The suggested fix: set-ups that a person would try first, each really tried on the samples.

use super::job::{Fix, Wish};
use super::survey::{PREVIEW_LIMIT, SampleState, tally};
use crate::chat::Sample;
use crate::labels::Rule;
use crate::masks::Strategy;
use crate::setup::{AUTO, Recipe, Request, resolve, wants_chat};

/// The first candidate that makes `sample` sound and loses the fewest samples; `None` where none helps.
///
/// `cancelled` is asked between candidates.
pub fn find_fix(
    wish: &Wish,
    sample: &Sample,
    samples: &[Sample],
    cancelled: &dyn Fn() -> bool,
) -> Option<Fix> {
    let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
    let mut best: Option<Fix> = None;
    for (label, request) in candidates(wish) {
        if cancelled() {
            return None;
        }
        let Ok(setup) = resolve(&wish.base, &request) else { continue };
        let current = SampleState::of(&setup.inspect(sample));
        if !current.is_sound() {
            continue;
        }
        let tally = tally(&setup, samples);
        if best.as_ref().is_none_or(|b| tally.sound > b.tally.sound) {
            best = Some(Fix { label, request, tally, current });
        }
    }
    let now = resolve(&wish.base, &wish.request).map(|s| tally(&s, samples)).unwrap_or_default();
    best.filter(|fix| fix.tally.sound > now.sound)
}

/// The whole recipe first, then one change at a time.
fn candidates(wish: &Wish) -> Vec<(String, Request)> {
    let request = &wish.request;
    if wants_chat(request) {
        return strategies(request);
    }
    let mut found = Vec::new();
    if let Some(recipe) = Recipe::for_tokenizer(&wish.base) {
        let whole = Request {
            template: AUTO.to_string(),
            preprocess: AUTO.to_string(),
            recipe: recipe.name.to_string(),
            overrides: Default::default(),
            ..request.clone()
        };
        found.push((format!("recipe {}", recipe.name), whole));
    }
    if request.preprocess != AUTO {
        found.push(("rule auto".to_string(), Request { preprocess: AUTO.to_string(), ..request.clone() }));
    }
    for rule in [Rule::Phi, Rule::V1, Rule::LlavaV1] {
        let change = Request { preprocess: rule.name().to_string(), ..request.clone() };
        found.push((format!("rule {}", rule.name()), change));
    }
    found.retain(|(_, candidate)| candidate != request);
    found
}

/// The other strategies, in the order of their list.
fn strategies(request: &Request) -> Vec<(String, Request)> {
    let others =
        Strategy::ALL.into_iter().filter(|s| *s != Strategy::Render && s.name() != request.preprocess);
    let change = |s: Strategy| Request { preprocess: s.name().to_string(), ..request.clone() };
    others.map(|s| (format!("strategy {}", s.name()), change(s))).collect()
}
