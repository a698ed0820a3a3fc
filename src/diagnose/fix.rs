//! A fix as data: what to change, what that does to the samples, and what a person would type.

use serde::{Serialize, Serializer};

use super::code::code;
use super::what_if::Effect;
use crate::chat::{Sample, Template};
use crate::error::{Error, Result};
use crate::labels::rules::two::TwoRule;
use crate::labels::{Rule, RuleChoice};
use crate::masks::Strategy;
use crate::setup::{LabelChoice, LlavaSetup, Request, Setup, TemplateChoice, TokenChoice, apply};
use crate::tokenizer::Role;

/// One change of a set-up or of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A role's token: assigned if it exists, else added.
    Token(Role, TokenChoice),
    /// The template of the registry with that name.
    Template(String),
    /// The separator after an answer.
    Sep2(String),
    /// Another of the known functions.
    Rule(Rule),
    /// Another mask strategy.
    Strategy(Strategy),
    /// A function with these numbers.
    Numbers(TwoRule),
    /// Longer samples are let through.
    MaxLength(usize),
    /// These samples are taken out of the data.
    Drop(Vec<usize>),
}

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
    pub effect: Option<Effect>,
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
                Change::Numbers(two) => request.preprocess = LabelChoice::Rule(RuleChoice::Custom(*two)),
                Change::MaxLength(length) => request.model_max_length = Some(*length),
                Change::Drop(samples) => dropped.extend(samples),
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

impl Change {
    /// The set-up after this change; changes of the data leave it as it is.
    ///
    /// # Errors
    /// As [`Fix::apply`].
    pub fn apply(&self, mut setup: LlavaSetup) -> Result<LlavaSetup> {
        match self {
            Self::Token(role, choice) => {
                let (tokenizer, effects) = apply(&setup.tokenizer, &[(*role, choice.clone())])?;
                setup.effects.extend(effects);
                setup = setup.with_tokenizer(tokenizer);
            }
            Self::Template(name) => {
                setup.labelling.template = Template::named(name).ok_or_else(|| Error::UnknownName {
                    kind: "template",
                    name: name.clone(),
                    known: Template::names().into_iter().map(String::from).collect(),
                })?;
            }
            Self::Sep2(text) => setup.labelling.template.sep2 = Some(text.clone()),
            Self::Rule(rule) => setup.labelling.rule = RuleChoice::Named(*rule),
            Self::Numbers(two) => setup.labelling.rule = RuleChoice::Custom(*two),
            Self::MaxLength(length) => setup.labelling.options.model_max_length = *length,
            // Strategies are tried by the chat checks themselves.
            Self::Strategy(_) | Self::Drop(_) => {}
        }
        Ok(setup)
    }

    /// A token's role: lines behind those that make the tokenizer, whatever labels.
    pub fn is_of_the_tokenizer(&self) -> bool {
        matches!(self, Self::Token(..))
    }

    fn summary(&self) -> String {
        match self {
            Self::Token(role, TokenChoice::CopyOf(from)) => format!("{} = {}", role.name(), from.name()),
            Self::Token(role, TokenChoice::Surface(text)) => format!("{} = {text}", role.name()),
            Self::Token(role, TokenChoice::Object(text)) => format!("{} = AddedToken({text})", role.name()),
            Self::Template(name) => format!("template {name}"),
            Self::Sep2(text) => format!("sep2 = {text}"),
            Self::Rule(rule) => format!("rule {}", rule.name()),
            Self::Strategy(strategy) => format!("strategy {}", strategy.name()),
            Self::Numbers(two) => format!(
                "a rule that starts at {} with round {:+} and instruction {:+}",
                two.start, two.text.round, two.text.instruction
            ),
            Self::MaxLength(length) => format!("model_max_length {length}"),
            Self::Drop(samples) => match samples.len() {
                1 => "leave out 1 sample".to_string(),
                n => format!("leave out {n} samples"),
            },
        }
    }
}

/// Changes are shown as text: a reader of the JSON needs no knowledge of our types.
fn as_texts<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(changes.iter().map(Change::summary))
}
