//! A list to choose from, searched as one types: tokenizers, templates, rules, recipes, tokens, acts.

mod choice;
mod entries;
mod palette;

use std::sync::Arc;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;

use super::path_completion::expanded;
use super::screens::experts::settings::ModelChoice;
use crate::setup::TokenChoice;
use crate::tokenizer::{LoadOptions, Role, TokenId};

pub use choice::{PickerChoice, PickerEntry, messages_request};
pub use entries::{
    copies, functions, loadings, models, other_load, others, recipes, rules, special_tokens, strategies,
    templates, tokenizers, versions,
};
pub use palette::palette;

/// All tokens of a vocabulary as text, by id.
pub type Vocabulary = Arc<Vec<(TokenId, String)>>;

/// A tokenizer or a template that a list offers besides the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    /// As `--tokenizer` or `--template` takes it.
    pub spec: String,
    pub detail: String,
}

/// What the list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickKind {
    Tokenizer,
    Template,
    Rule,
    Recipe,
    Loading,
    /// Side B of screen Compare; another tokenizer is loaded by this release.
    Other(LoadOptions),
    Token(Role),
    /// The model of screen Experts.
    Model,
    /// A part of the sample to the clipboard.
    Copy,
    /// Every act by name; on screen Samples a number is a sample.
    Palette {
        samples: bool,
    },
}

/// An open list.
#[derive(Debug, Clone)]
pub struct Picker {
    pub kind: PickKind,
    pub query: Input,
    entries: Vec<PickerEntry>,
    /// Entry made of the query itself (a new token, a path).
    typed: Option<PickerEntry>,
    /// Indices of the entries that match, best first.
    matching: Vec<usize>,
    pub cursor: usize,
    /// More entries are on their way.
    pub loading: bool,
}

impl Picker {
    /// A list of these entries.
    pub fn new(kind: PickKind, entries: Vec<PickerEntry>) -> Self {
        let matching = (0..entries.len()).collect();
        Self { kind, query: Input::default(), entries, typed: None, matching, cursor: 0, loading: false }
    }

    /// What the list is for, in a title.
    pub fn title(&self) -> String {
        match self.kind {
            PickKind::Tokenizer => {
                "tokenizer: recent, cached or a sample; or type a folder, a file, a hub id".to_string()
            }
            PickKind::Template => {
                "template: LLaVA's, the tokenizer's own, built-in; or type a .jinja file".to_string()
            }
            PickKind::Rule => "label rule, or mask strategy of a chat template".to_string(),
            PickKind::Recipe => "recipe: template, rule and overrides in one".to_string(),
            PickKind::Loading => "class family and release of transformers".to_string(),
            PickKind::Other(_) => {
                "side B: another class or release, another tokenizer, or type one".to_string()
            }
            PickKind::Token(role) => format!("token for {}", role.name()),
            PickKind::Model => {
                "model of experts: one of these, or type a folder or a hub id, then 0..K for its first layers"
                    .to_string()
            }
            PickKind::Copy => "copy to the clipboard".to_string(),
            PickKind::Palette { samples: false } => {
                "commands; or a number: that token, #3: the third sample".to_string()
            }
            PickKind::Palette { samples: true } => "commands; or a number: that sample".to_string(),
        }
    }

    /// Number of entries shown.
    pub fn len(&self) -> usize {
        self.matching.len() + usize::from(self.typed.is_some())
    }

    /// True when nothing matches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entry at a position of what is shown. The typed entry stands behind the best three.
    pub fn entry(&self, position: usize) -> Option<&PickerEntry> {
        let typed_at = self.typed.as_ref().map(|_| self.matching.len().min(3));
        let index = match typed_at {
            Some(at) if position == at => return self.typed.as_ref(),
            Some(at) if position > at => position - 1,
            _ => position,
        };
        self.matching.get(index).and_then(|i| self.entries.get(*i))
    }

    /// The marked entry.
    pub fn chosen(&self) -> Option<&PickerEntry> {
        self.entry(self.cursor)
    }

    /// Moves the mark.
    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.len().saturating_sub(1));
    }

    /// Adds entries that came late.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = PickerEntry>) {
        self.entries.extend(entries);
        self.loading = false;
        let cursor = self.cursor;
        self.filter();
        self.cursor = cursor.min(self.len().saturating_sub(1));
    }

    /// Searches again after the query changed.
    pub fn filter(&mut self) {
        let query = self.query.value().to_string();
        self.cursor = 0;
        self.typed = self.typed_entry(&query);
        if matches!(
            &self.typed,
            Some(PickerEntry { choice: PickerChoice::GoToToken(_) | PickerChoice::GoToSample(_), .. })
        ) {
            self.matching.clear();
            return;
        }
        if query.is_empty() {
            self.matching = (0..self.entries.len()).collect();
            return;
        }
        let pattern = Pattern::parse(&query, CaseMatching::Smart, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(bool, u32, usize)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut score =
                |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher).map(|s| s * 2);
            let hit = score(&entry.label).or_else(|| match self.kind {
                PickKind::Token(_) => None,
                _ => score(&entry.detail).map(|s| s / 2),
            });
            if let Some(hit) = hit {
                scored.push((entry.label == query, hit, index));
            }
        }
        scored.sort_by_key(|(exact, score, index)| (!exact, std::cmp::Reverse(*score), *index));
        self.matching = scored.into_iter().map(|(_, _, index)| index).collect();
    }

    /// True where a path may be typed.
    pub fn takes_paths(&self) -> bool {
        matches!(self.kind, PickKind::Tokenizer | PickKind::Template | PickKind::Other(_) | PickKind::Model)
    }

    fn typed_entry(&self, query: &str) -> Option<PickerEntry> {
        let known = self.entries.iter().any(|e| e.label == query);
        if query.is_empty() || known {
            return None;
        }
        match self.kind {
            PickKind::Token(role) => {
                let choice = PickerChoice::Token(role, Some(TokenChoice::Surface(query.to_string())));
                Some(PickerEntry::new(query, "a new token, as typed", choice))
            }
            PickKind::Template if query.ends_with(".jinja") => {
                let choice = PickerChoice::Template(expanded(query).as_str().into());
                Some(PickerEntry::new(query, "a file with a chat template", choice))
            }
            PickKind::Template => None,
            PickKind::Palette { samples } => {
                let sample = query.strip_prefix('#').or(samples.then_some(query));
                if let Some(number) = sample {
                    let index = number.parse::<usize>().ok()?.checked_sub(1)?;
                    return Some(PickerEntry::new(
                        query,
                        "go to this sample",
                        PickerChoice::GoToSample(index),
                    ));
                }
                let choice = PickerChoice::GoToToken(query.parse().ok()?);
                Some(PickerEntry::new(query, "go to this token", choice))
            }
            PickKind::Model => {
                let choice = PickerChoice::Model(ModelChoice::typed(&expanded(query)));
                Some(PickerEntry::new(query, "load this folder or hub id", choice))
            }
            _ => {
                let choice = self.load_choice(&expanded(query))?;
                Some(PickerEntry::new(query, "load this path or hub id", choice))
            }
        }
    }

    /// What taking a tokenizer or a template by name does here; `None` in a list of other things.
    fn load_choice(&self, spec: &str) -> Option<PickerChoice> {
        match self.kind {
            PickKind::Tokenizer => Some(PickerChoice::Tokenizer(spec.to_string())),
            PickKind::Other(load) => Some(PickerChoice::Other(spec.to_string(), load)),
            PickKind::Template => Some(PickerChoice::Template(spec.into())),
            _ => None,
        }
    }

    /// Adds the ordinary tokens to a list of tokens for a role.
    pub fn add_vocabulary(&mut self, tokens: &Vocabulary) {
        if let PickKind::Token(role) = self.kind {
            self.extend(tokens.iter().map(|(id, text)| {
                let choice = PickerChoice::Token(role, Some(TokenChoice::Surface(text.clone())));
                PickerEntry::new(text.clone(), format!("token {id}"), choice)
            }));
        }
    }

    /// Adds recent and cached tokenizers to a list that loads one, and templates to theirs; any other list stays as it
    /// is.
    pub fn add_known(&mut self, known: &[KnownEntry]) {
        let entries: Vec<PickerEntry> = known
            .iter()
            .filter_map(|k| {
                Some(PickerEntry::new(k.spec.clone(), k.detail.clone(), self.load_choice(&k.spec)?))
            })
            .collect();
        if !entries.is_empty() {
            self.extend(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Request;
    use crate::tokenizer::{Loader, Release};

    /// Side B's list for a side A in release 5, with one tokenizer of the cache.
    fn side_b() -> Picker {
        let load = LoadOptions { loader: Some(Loader::Slow), release: Release::V5, ..LoadOptions::default() };
        let request = Request { load, ..Request::default() };
        let mut picker = Picker::new(PickKind::Other(other_load(load)), others(&request));
        picker.add_known(&[KnownEntry { spec: "org/cached".into(), detail: "in the cache".into() }]);
        picker
    }

    #[test]
    fn side_b_typed_or_cached_is_loaded_by_the_release_of_side_a() {
        let load = LoadOptions { release: Release::V5, ..LoadOptions::default() };
        for name in ["org/typed", "org/cached"] {
            let mut picker = side_b();
            picker.query = Input::new(name.to_string());
            picker.filter();
            let found = (0..picker.len()).filter_map(|i| picker.entry(i)).find(|e| e.label == name);
            assert_eq!(found.map(|e| &e.choice), Some(&PickerChoice::Other(name.to_string(), load)));
        }
    }

    #[test]
    fn known_tokenizers_enter_only_lists_that_load_one() {
        let known = [KnownEntry { spec: "org/cached".into(), detail: String::new() }];
        let mut rules = Picker::new(PickKind::Rule, rules());
        let before = rules.len();
        rules.add_known(&known);
        assert_eq!(rules.len(), before);
        let mut loads = Picker::new(PickKind::Tokenizer, tokenizers());
        let before = loads.len();
        loads.add_known(&known);
        assert_eq!(loads.len(), before + 1);
    }
}
