//! The same files as another class or release of transformers reads them.

use super::context::Context;
use crate::labels::Inspection;
use crate::setup::{Setup, apply};
use crate::tokenizer::Tokenizer;

/// A tokenizer loaded from the files of another set-up, with the overrides of that one.
#[derive(Debug, Clone)]
pub struct AlternativeLoad {
    /// `fast 4.37`.
    pub name: String,
    pub tokenizer: Tokenizer,
}

impl AlternativeLoad {
    /// Tokenizers that were loaded in other ways; one that does not take the overrides is left out.
    pub fn all<L>(setup: &Setup<L>, loaded: &[Tokenizer]) -> Vec<Self> {
        let of = |base: &Tokenizer| {
            let (tokenizer, _) = apply(base, &setup.overrides).ok()?;
            let facts = &base.facts;
            Some(Self { name: format!("{} {}", facts.loader.name(), facts.release.name()), tokenizer })
        };
        loaded.iter().filter_map(of).collect()
    }
}

/// How an alternative load differs on some samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LoadDifference {
    /// Samples with other ids, by index.
    pub ids: Vec<usize>,
    /// Of all: kept here and lost there, or the other way round.
    pub outcome: Vec<usize>,
}

/// Labels the given samples with an alternative load as well.
pub(super) fn difference(
    context: &Context<'_>,
    alternative_load: &AlternativeLoad,
    indices: &[usize],
) -> LoadDifference {
    let setup = context.setup.clone().with_tokenizer(alternative_load.tokenizer.clone());
    let mut difference = LoadDifference::default();
    for index in indices {
        let (Some(sample), Some(here)) = (context.samples.get(*index), context.inspections.get(*index))
        else {
            continue;
        };
        let there = setup.inspect(sample);
        let ids = |i: &Inspection| i.result.as_ref().ok().map(|l| l.input_ids.clone());
        let kept = |i: &Inspection| i.result.as_ref().is_ok_and(|l| !l.mismatch);
        if let (Some(a), Some(b)) = (ids(here), ids(&there))
            && a != b
        {
            difference.ids.push(*index);
        }
        if kept(here) != kept(&there) {
            difference.outcome.push(*index);
        }
    }
    difference
}
