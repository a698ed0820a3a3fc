//! One change of a set-up or of the data, and what a LLaVA set-up is after it.

use super::data_fix::DataFix;
use crate::chat::Template;
use crate::error::{Error, Result};
use crate::labels::rules::two::TwoRule;
use crate::labels::{Rule, RuleChoice};
use crate::masks::Strategy;
use crate::setup::{LlavaSetup, TokenChoice, apply};
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
    /// Other texts that open a question and an answer, for strategies that search for them.
    Markers { instruction: Option<String>, response: String },
    /// A function with these numbers.
    Numbers(TwoRule),
    /// Longer samples are let through.
    MaxLength(usize),
    /// These samples are taken out of the data.
    Drop(Vec<usize>),
    /// Every record of the data is changed.
    Data(DataFix),
}

impl Change {
    /// The set-up after this change; changes of the data leave it as it is.
    ///
    /// # Errors
    /// A token that the class refuses, or a template that does not exist.
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
            Self::Strategy(_) | Self::Markers { .. } | Self::Drop(_) | Self::Data(_) => {}
        }
        Ok(setup)
    }

    /// A token's role: lines behind those that make the tokenizer, whatever labels.
    pub fn is_of_the_tokenizer(&self) -> bool {
        matches!(self, Self::Token(..))
    }

    /// The change of the data that it is, if it is one.
    pub fn of_data(&self) -> Option<&DataFix> {
        match self {
            Self::Data(fix) => Some(fix),
            _ => None,
        }
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        match self {
            Self::Token(role, TokenChoice::CopyOf(from)) => format!("{} = {}", role.name(), from.name()),
            Self::Token(role, TokenChoice::Surface(text)) => format!("{} = {text}", role.name()),
            Self::Token(role, TokenChoice::Object(text)) => format!("{} = AddedToken({text})", role.name()),
            Self::Template(name) => format!("template {name}"),
            Self::Sep2(text) => format!("sep2 = {text}"),
            Self::Rule(rule) => format!("rule {}", rule.name()),
            Self::Strategy(strategy) => format!("strategy {}", strategy.name()),
            Self::Markers { response, .. } => format!("marker {response:?}"),
            Self::Numbers(two) => format!(
                "a rule that starts at {} with round {:+} and instruction {:+}",
                two.start, two.text.round, two.text.instruction
            ),
            Self::MaxLength(length) => format!("model_max_length {length}"),
            Self::Data(fix) => fix.summary().into_owned(),
            Self::Drop(samples) => match samples.len() {
                1 => "leave out 1 sample".to_string(),
                n => format!("leave out {n} samples"),
            },
        }
    }
}
