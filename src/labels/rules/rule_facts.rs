//! What a label rule is: its names, when the training code runs it, how it counts, and what its code is called.

use super::RuleInput;
use super::arithmetic::Arithmetic;
use super::grouped::{self, GroupedRule};
use super::two::{self, TwoRule};
use crate::chat::{SeparatorStyle, Template};
use crate::labels::{Labelled, PythonError};
use crate::tokenizer::Tokenizer;

/// A label rule.
#[derive(Debug)]
pub struct RuleFacts {
    /// The name on the command line.
    pub name: &'static str,
    /// Other names of the same function.
    pub aliases: &'static [&'static str],
    /// What a person should know of it, in a line.
    pub summary: &'static str,
    /// Whether the training code runs it for a template; at most one rule says so.
    pub runs_for: fn(&Template) -> bool,
    pub counting: Counting,
    pub code: TrainingCode,
}

/// How a rule comes to labels.
#[derive(Debug, Clone, Copy)]
pub enum Counting {
    /// Rounds between two separators, with these numbers.
    Two(TwoRule),
    /// Rounds of ChatML-like templates, with these numbers.
    Grouped(GroupedRule),
    /// Rounds of another shape.
    Rounds(RoundRule),
    /// The caption of an image; nothing is counted.
    Caption,
    /// Turns that are encoded one by one; nothing is checked.
    Turns,
}

/// A rule that counts rounds in its own way.
#[derive(Debug, Clone, Copy)]
pub struct RoundRule {
    /// Labels of a prompt, or what the Python function raises.
    pub label: fn(RuleInput<'_>) -> Result<Labelled, PythonError>,
    /// The text that must stand exactly once in a round, between instruction and answer.
    pub answer_mark: fn(&Template) -> String,
    /// What it assumes of the tokenizer; `None` where the separator cannot be encoded.
    pub arithmetic: fn(&Tokenizer, &Template) -> Option<Arithmetic>,
}

/// Where the training script has the rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrainingCode {
    /// The function of train.py; `None` for rules that no released script can be told to run by its version.
    pub function: Option<&'static str>,
    /// Lines to change in it, as a patch says them.
    pub also: &'static str,
}

impl Counting {
    /// The text that must stand exactly once in a round, between instruction and answer.
    pub fn answer_mark(&self, template: &Template) -> String {
        match self {
            Self::Rounds(rule) => (rule.answer_mark)(template),
            Self::Grouped(_) => grouped::answer_mark(template),
            Self::Two(_) | Self::Caption | Self::Turns => two::answer_mark(template),
        }
    }

    /// What it assumes of the tokenizer, for samples with an image or without; `None` where nothing is counted.
    pub fn arithmetic(
        &self,
        tokenizer: &Tokenizer,
        template: &Template,
        has_image: bool,
    ) -> Option<Arithmetic> {
        match self {
            Self::Two(two) => Some(two.arithmetic(tokenizer, template, has_image)),
            Self::Grouped(grouped) => grouped.arithmetic(tokenizer, template),
            Self::Rounds(rule) => (rule.arithmetic)(tokenizer, template),
            Self::Caption | Self::Turns => None,
        }
    }
}

/// True where the version begins with one of `prefixes` and the style does not decide alone.
pub fn version_begins(template: &Template, prefixes: &[&str]) -> bool {
    !matches!(template.style, SeparatorStyle::Plain | SeparatorStyle::Llama2)
        && prefixes.iter().any(|prefix| template.version.starts_with(prefix))
}

/// No template: the rule runs where it is asked for.
pub fn never(_: &Template) -> bool {
    false
}
