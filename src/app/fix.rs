//! The suggested fix: the backbone's whole recipe where it helps, else the smallest change that the doctor finds.

use super::job::{Fix, ResolvedRequest};
use super::sample_status::{PREVIEW_LIMIT, SampleState, tally};
use crate::chat::Sample;
use crate::diagnose::quick_fix;
use crate::masks::Strategy;
use crate::setup::{LabelChoice, Recipe, RecipeChoice, Request, TemplateChoice, resolve};

/// The doctor's search tries hundreds of set-ups: so many samples are enough to rule out what does not work.
const SEARCHED: usize = 24;

/// A change of the set-up that makes `sample` sound and loses fewer samples than now; `None` where there is none.
///
/// `cancelled` is asked between set-ups.
pub fn find_fix(
    wish: &ResolvedRequest,
    sample: &Sample,
    samples: &[Sample],
    cancelled: &dyn Fn() -> bool,
) -> Option<Fix> {
    let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
    let before = resolve(&wish.base, &wish.request).ok()?;
    let now = tally(&before, samples);
    let tried = |label: String, request: Request| {
        let setup = resolve(&wish.base, &request).ok()?;
        let current = SampleState::of(&setup, &setup.inspect(sample));
        let tally = if current.is_sound() { tally(&setup, samples) } else { return None };
        (tally.sound > now.sound).then_some(Fix { label, request, tally, current })
    };
    if wish.request.wants_chat() {
        let found = strategies(&wish.request).into_iter().filter_map(|(label, request)| match cancelled() {
            true => None,
            false => tried(label, request),
        });
        return found.max_by_key(|fix| fix.tally.sound);
    }
    if let Some(recipe) = Recipe::for_tokenizer(&wish.base) {
        let whole = Request {
            template: TemplateChoice::Auto,
            preprocess: LabelChoice::Auto,
            recipe: RecipeChoice::Named(recipe),
            overrides: Default::default(),
            sep2: None,
            ..wish.request.clone()
        };
        if let Some(fix) = tried(format!("recipe {}", recipe.name), whole) {
            return Some(fix);
        }
    }
    let some: Vec<&Sample> = samples.iter().take(SEARCHED).collect();
    let llava = before.to_llava()?;
    // Where no change repairs them all (one that cannot be repaired is enough), one that repairs this sample.
    let found = quick_fix(&llava, &some, cancelled).or_else(|| quick_fix(&llava, &[sample], cancelled))?;
    let (request, _) = found.request(&wish.request, &before);
    tried(found.summary, request)
}

/// The other strategies, in the order of their list.
fn strategies(request: &Request) -> Vec<(String, Request)> {
    let differs = |s: &Strategy| *s != Strategy::Render && LabelChoice::Strategy(*s) != request.preprocess;
    let others = Strategy::ALL.into_iter().filter(differs);
    let change = |s: Strategy| Request { preprocess: LabelChoice::Strategy(s), ..request.clone() };
    others.map(|s| (format!("strategy {}", s.name()), change(s))).collect()
}
