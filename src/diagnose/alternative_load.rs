//! The same files as another class or release of transformers reads them.

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
