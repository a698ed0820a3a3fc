//! What a change of the set-up would do, without making it: of a choice in a list, and of the suggested fix, which is the
//! backbone's whole recipe where it helps, else the smallest change that the doctor finds.

use std::sync::Arc;

use super::sample_status::{PREVIEW_LIMIT, count_statuses};
use crate::chat::Sample;
use crate::diagnose::{Change, LineFix, line_fix, quick_fix, setup_fix};
use crate::error::with_causes;
use crate::labels::{SampleStatus, StatusCounts};
use crate::masks::Strategy;
use crate::setup::{LabelChoice, Recipe, RecipeChoice, Request, TemplateChoice, TokenChoice, resolve};
use crate::tokenizer::{Role, Tokenizer};

/// A request with the tokenizer it was loaded for.
#[derive(Debug, Clone)]
pub struct ResolvedRequest {
    pub base: Arc<Tokenizer>,
    pub request: Request,
}

/// What a choice would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The sample on screen.
    pub current: SampleStatus,
    /// All samples, or the first [`PREVIEW_LIMIT`].
    pub counts: StatusCounts,
}

impl Preview {
    /// Tries a request.
    ///
    /// # Errors
    /// A sentence for the person where the request cannot be resolved.
    pub fn of(wanted: &ResolvedRequest, sample: &Sample, samples: &[Sample]) -> Result<Self, String> {
        let setup = resolve(&wanted.base, &wanted.request).map_err(|e| with_causes(&e))?;
        let current = setup.inspect(sample).status();
        let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
        Ok(Self { current, counts: count_statuses(&setup, samples) })
    }
}

/// A change of the set-up that was tried and helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedFix {
    /// `recipe phi`, `rule v1`.
    pub label: String,
    pub request: Request,
    pub counts: StatusCounts,
    /// The sample on screen with the change made.
    pub current: SampleStatus,
}

/// The doctor's search tries hundreds of set-ups: so many samples are enough to rule out what does not work.
const SEARCHED: usize = 24;

/// A change of the set-up that makes `sample` sound and loses fewer samples than now; `None` where there is none.
///
/// `cancelled` is asked between set-ups.
pub fn find_fix(
    wanted: &ResolvedRequest,
    sample: &Sample,
    samples: &[Sample],
    cancelled: &dyn Fn() -> bool,
) -> Option<SuggestedFix> {
    let samples = samples.get(..PREVIEW_LIMIT).unwrap_or(samples);
    let before = resolve(&wanted.base, &wanted.request).ok()?;
    let now = count_statuses(&before, samples);
    let tried = |label: String, request: Request| {
        let setup = resolve(&wanted.base, &request).ok()?;
        let current = setup.inspect(sample).status();
        let counts = if current.is_sound() { count_statuses(&setup, samples) } else { return None };
        (counts.sound > now.sound).then_some(SuggestedFix { label, request, counts, current })
    };
    if wanted.request.wants_chat() {
        let found =
            strategies(&wanted.request).into_iter().filter_map(|(label, request)| match cancelled() {
                true => None,
                false => tried(label, request),
            });
        return found.max_by_key(|fix| fix.counts.sound);
    }
    let some: Vec<&Sample> = samples.iter().take(SEARCHED).collect();
    if before.repository().is_some() {
        let found = line_fix(&before, &some, cancelled).or_else(|| line_fix(&before, &[sample], cancelled));
        if let Some(LineFix { edits, summary }) = found {
            let repository =
                wanted.request.repository.as_ref().map(|repository| repository.with_edits(&edits));
            let request = Request { repository, ..wanted.request.clone() };
            let setup = resolve(&wanted.base, &request).ok()?;
            let current = setup.inspect(sample).status();
            return Some(SuggestedFix {
                label: summary,
                request,
                counts: count_statuses(&setup, samples),
                current,
            });
        }
        let found = quick_fix(&before.to_llava()?, &some, cancelled)?;
        if !found.changes.iter().all(Change::is_of_the_tokenizer) {
            return None;
        }
        let (request, _) = found.request(&wanted.request, &before);
        return tried(found.summary.clone(), request.clone())
            .map(|fix| as_lines(wanted, &request, fix.clone(), &some).unwrap_or(fix));
    }
    if let Some(recipe) = Recipe::for_tokenizer(&wanted.base) {
        let whole = Request {
            template: TemplateChoice::Auto,
            preprocess: LabelChoice::Auto,
            recipe: RecipeChoice::Named(recipe),
            overrides: Default::default(),
            sep2: None,
            ..wanted.request.clone()
        };
        if let Some(fix) = tried(format!("recipe {}", recipe.name), whole) {
            return Some(fix);
        }
    }
    let llava = before.to_llava()?;
    // Where no change repairs them all (one that cannot be repaired is enough), one that repairs this sample.
    let found = quick_fix(&llava, &some, cancelled).or_else(|| quick_fix(&llava, &[sample], cancelled))?;
    let (request, _) = found.request(&wanted.request, &before);
    tried(found.summary, request)
}

/// The other strategies, in the order of their list.
fn strategies(request: &Request) -> Vec<(String, Request)> {
    let differs = |s: &Strategy| *s != Strategy::Render && LabelChoice::Strategy(*s) != request.preprocess;
    let others = Strategy::ALL.into_iter().filter(differs);
    let change = |s: Strategy| Request { preprocess: LabelChoice::Strategy(s), ..request.clone() };
    others.map(|s| (format!("strategy {}", s.name()), change(s))).collect()
}

/// The same change of the tokenizer as lines of the repository's own script, where they come to the same.
fn as_lines(
    wanted: &ResolvedRequest,
    changed: &Request,
    fix: SuggestedFix,
    samples: &[&Sample],
) -> Option<SuggestedFix> {
    let setup = resolve(&wanted.base, changed).ok()?;
    let tokens: Vec<(Role, TokenChoice)> =
        changed.overrides.iter().map(|(role, choice)| (*role, choice.clone())).collect();
    let LineFix { edits, summary } = setup_fix(&setup, &tokens, samples)?;
    let repository = wanted.request.repository.as_ref().map(|repository| repository.with_edits(&edits));
    let request = Request { repository, overrides: Default::default(), ..wanted.request.clone() };
    resolve(&wanted.base, &request).ok()?;
    Some(SuggestedFix { label: summary, request, ..fix })
}
