//! A fix as data: what to change, what that does to the samples, and what a person would type.

use serde::{Serialize, Serializer};

use super::change::Change;
use super::code::code;
use super::effect::ChangeEffect;
use crate::chat::{Sample, Template};
use crate::error::Result;
use crate::labels::RuleChoice;
use crate::setup::{LabelChoice, LlavaSetup, Request, Setup, TemplateChoice};

/// Changes that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    #[serde(serialize_with = "as_texts")]
    pub changes: Vec<Change>,
    /// In a sentence.
    pub summary: String,
    /// What a user pastes.
    pub code: String,
    /// What applying it to the samples in memory did.
    pub effect: Option<ChangeEffect>,
}

impl Fix {
    /// A fix of the data that was not tried yet.
    pub fn new(changes: Vec<Change>) -> Self {
        Self::with_code(changes, &|_| false, "")
    }

    /// A fix for a set-up, not tried yet: its code adds a token that the vocabulary lacks, and names the version of the
    /// template that it ends up with.
    pub fn proposed(setup: &LlavaSetup, changes: Vec<Change>) -> Self {
        let tokenizer = &setup.tokenizer;
        let named = changes.iter().rev().find_map(|change| match change {
            Change::Template(name) => Template::named(name),
            _ => None,
        });
        let template = named.unwrap_or_else(|| setup.labelling.template.clone());
        Self::with_code(changes, &|text| tokenizer.token_to_id(text).is_none(), &template.version)
    }

    fn with_code(changes: Vec<Change>, is_new: &dyn Fn(&str) -> bool, version: &str) -> Self {
        let describe: Vec<String> = changes.iter().map(Change::summary).collect();
        let code: Vec<String> = changes.iter().map(|change| code(change, is_new, version)).collect();
        Self { summary: describe.join("; "), code: code.join("\n"), changes, effect: None }
    }

    /// The request that asks for this fix, and the samples (by index) that it takes out of the data. `setup` is
    /// what `request` came to.
    pub fn request(&self, request: &Request, setup: &Setup) -> (Request, Vec<usize>) {
        let mut request = request.clone();
        let mut dropped = Vec::new();
        // A set-up keeps its rule whatever its template; a request would let `auto` follow the new one.
        if let Some(llava) = setup.llava() {
            request.preprocess = LabelChoice::Rule(llava.rule);
            request.template = TemplateChoice::Llava(llava.template.name.clone());
        }
        for change in &self.changes {
            match change {
                Change::Token(role, choice) => {
                    request.overrides.insert(*role, choice.clone());
                }
                Change::Template(name) => {
                    (request.template, request.sep2) = (TemplateChoice::Llava(name.clone()), None);
                }
                Change::Sep2(text) => request.sep2 = Some(text.clone()),
                Change::Rule(rule) => request.preprocess = LabelChoice::Rule((*rule).into()),
                Change::Strategy(strategy) => request.preprocess = LabelChoice::Strategy(*strategy),
                Change::Markers { instruction, response } => {
                    request.chat.settings.instruction_part = instruction.clone();
                    request.chat.settings.response_part = Some(response.clone());
                }
                Change::Numbers(two) => request.preprocess = LabelChoice::Rule(RuleChoice::Custom(*two)),
                Change::MaxLength(length) => request.model_max_length = Some(*length),
                Change::Drop(samples) => dropped.extend(samples),
                Change::Data(_) => {}
            }
        }
        (request, dropped)
    }

    /// The set-up and the samples (by index) after the fix.
    ///
    /// # Errors
    /// A token that the class refuses, or a template that does not exist.
    pub fn apply(&self, setup: &LlavaSetup, samples: &[Sample]) -> Result<(LlavaSetup, Vec<usize>)> {
        let mut setup = setup.clone();
        let mut kept: Vec<usize> = (0..samples.len()).collect();
        for change in &self.changes {
            match change {
                Change::Drop(dropped) => kept.retain(|i| !dropped.contains(i)),
                change => setup = change.apply(setup)?,
            }
        }
        Ok((setup, kept))
    }
}

/// Changes are shown as text: a reader of the JSON needs no knowledge of our types.
fn as_texts<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(changes.iter().map(Change::summary))
}
