//! [`Labelling`]: how a sample gets its labels. The one place that knows the ways there are.
//!
//! ```text
//! a trainer's data path, preference rows ───► masks::Method::inspect_row
//! record with ids, segments, or text alone ─► masks::inspect_preset_labels
//! LLaVA template + rule ────────────────────► labels::inspect                 ─► Inspection
//! chat template + mask strategy ────────────► masks::Method::inspect
//! ```
//!
//! A trainer takes rows as they are; then what a record says of its own labels wins over template and strategy. Both
//! are asked for every sample here, and nowhere else.

use std::sync::Arc;

use crate::chat::{Sample, Template};
use crate::labels::{Inspection, PromptOptions, RuleChoice, inspect};
use crate::masks::{Method, inspect_preset_labels};
use crate::tokenizer::Tokenizer;

/// How a sample gets its labels.
// One value a set-up, asked for every sample: a box would save no memory and cost an indirection.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub enum Labelling {
    /// By a template and a `preprocess_*` function of the LLaVA family.
    Llava(LlavaLabelling),
    /// By a Jinja chat template and a trainer's mask strategy.
    Chat(Arc<Method>),
}

/// A LLaVA template, the rule that counts its rounds, and the options of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlavaLabelling {
    pub template: Template,
    pub rule: RuleChoice,
    pub options: PromptOptions,
}

impl Labelling {
    /// Labels of one sample.
    pub fn inspect(&self, tokenizer: &Tokenizer, sample: &Sample) -> Inspection {
        match self {
            Self::Llava(llava) => llava.inspect(tokenizer, sample),
            Self::Chat(method) => method
                .inspect_row(tokenizer, sample)
                .or_else(|| inspect_preset_labels(tokenizer, sample, Some(method)))
                .unwrap_or_else(|| method.inspect(tokenizer, sample)),
        }
    }

    /// The LLaVA labelling; `None` with a chat template.
    pub fn llava(&self) -> Option<&LlavaLabelling> {
        match self {
            Self::Llava(llava) => Some(llava),
            Self::Chat(_) => None,
        }
    }

    /// Chat template and strategy; `None` with a LLaVA template.
    pub fn chat(&self) -> Option<&Arc<Method>> {
        match self {
            Self::Llava(_) => None,
            Self::Chat(method) => Some(method),
        }
    }

    /// The template that makes prompts, by name.
    pub fn template_name(&self) -> &str {
        match self {
            Self::Llava(llava) => &llava.template.name,
            Self::Chat(method) => &method.templates.name,
        }
    }

    /// The rule or strategy that labels, by name.
    pub fn rule_name(&self) -> &'static str {
        match self {
            Self::Llava(llava) => llava.rule.name(),
            Self::Chat(method) => method.strategy.name(),
        }
    }

    /// True where both label alike.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Llava(own), Self::Llava(others)) => own == others,
            (Self::Chat(own), Self::Chat(others)) => own.is_same(others),
            _ => false,
        }
    }
}

impl LlavaLabelling {
    /// Labels of one sample.
    pub fn inspect(&self, tokenizer: &Tokenizer, sample: &Sample) -> Inspection {
        let options = &self.options;
        inspect_preset_labels(tokenizer, sample, None)
            .map(|inspection| inspection.kept(options.model_max_length))
            .unwrap_or_else(|| inspect(tokenizer, &self.template, self.rule, options, sample))
    }
}
