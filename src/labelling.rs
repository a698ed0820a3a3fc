//! [`Labelling`]: how a sample gets its labels. The one place that knows the ways there are.
//!
//! ```text
//! a trainer's data path, preference rows ───► masks::Method::inspect_row
//! record with ids, segments, or text alone ─► masks::inspect_preset_labels
//! LLaVA template + rule ────────────────────► labels::inspect                 ─► Inspection
//! chat template + mask strategy ────────────► masks::Method::inspect
//! label function of a repository ───────────► repository::inspect
//! ```
//!
//! A trainer takes rows as they are; then what a record says of its own labels wins over template and strategy. Both
//! are asked for every sample here, and nowhere else.

mod functions_compared;
mod llava;
mod recognized;

use std::sync::Arc;

pub use llava::LlavaLabelling;
pub use recognized::RepositoryLabelling;

use crate::chat::{PromptLayout, Sample};
use crate::guard;
use crate::labels::{Inspection, PythonError};
use crate::masks::{Method, inspect_preset_labels};
use crate::tokenizer::Tokenizer;

/// Bytes of text, and turns, of the largest sample that is labelled; the tokenizers library takes some hundred bytes of
/// memory a byte of text. The longest contexts of today are four million bytes.
const MOST_TEXT: usize = 5 << 20;
const MOST_TURNS: usize = 20_000;

/// How a sample gets its labels.
// One value a set-up, asked for every sample: a box would save no memory and cost an indirection.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub enum Labelling {
    /// By a template and a `preprocess_*` function of the LLaVA family.
    Llava(LlavaLabelling),
    /// By a Jinja chat template and a trainer's mask strategy.
    Chat(Arc<Method>),
    /// By the label function of a training repository, run in the sandbox.
    Repository(RepositoryLabelling),
}

impl Labelling {
    /// Labels of one sample. A sample that takes too long, or makes a library fail, raises.
    pub fn inspect(&self, tokenizer: &Tokenizer, sample: &Sample) -> Inspection {
        let len = sample.text_len();
        if len > MOST_TEXT || sample.conversations.len() > MOST_TURNS {
            let turns = sample.conversations.len();
            return self.failed(
                sample,
                &format!("{turns} turns of {len} bytes (at most {MOST_TURNS} of {MOST_TEXT})"),
            );
        }
        let limit = guard::time_for(len);
        let _watched = guard::watch(|| format!("sample {}", sample.id), 2 * limit);
        let done = guard::contain(|| guard::within(limit, || self.inspect_unwatched(tokenizer, sample)));
        done.unwrap_or_else(|panic| self.failed(sample, &panic.to_string()))
    }

    fn failed(&self, sample: &Sample, reason: &str) -> Inspection {
        Inspection {
            id: sample.id.clone(),
            has_image: sample.has_image,
            template: self.template_name().to_string(),
            preprocess: self.rule_name().to_string(),
            prompt: None,
            layout: PromptLayout::default(),
            result: Err(PythonError::new("RuntimeError", format!("labelling this sample fails: {reason}"))),
        }
    }

    fn inspect_unwatched(&self, tokenizer: &Tokenizer, sample: &Sample) -> Inspection {
        match self {
            Self::Llava(llava) => llava.inspect(tokenizer, sample),
            Self::Chat(method) => method
                .inspect_row(tokenizer, sample)
                .or_else(|| inspect_preset_labels(tokenizer, sample, Some(method)))
                .unwrap_or_else(|| method.inspect(tokenizer, sample)),
            Self::Repository(repository) => repository.inspect(sample),
        }
    }

    /// The LLaVA labelling; `None` with a chat template.
    pub fn llava(&self) -> Option<&LlavaLabelling> {
        match self {
            Self::Llava(llava) => Some(llava),
            Self::Chat(_) | Self::Repository(_) => None,
        }
    }

    /// The label function of a repository; `None` where another labels.
    pub fn repository(&self) -> Option<&RepositoryLabelling> {
        match self {
            Self::Llava(_) | Self::Chat(_) => None,
            Self::Repository(repository) => Some(repository),
        }
    }

    /// Chat template and strategy; `None` with a LLaVA template.
    pub fn chat(&self) -> Option<&Arc<Method>> {
        match self {
            Self::Llava(_) | Self::Repository(_) => None,
            Self::Chat(method) => Some(method),
        }
    }

    /// The template that makes prompts, by name.
    pub fn template_name(&self) -> &str {
        match self {
            Self::Llava(llava) => &llava.template.name,
            Self::Chat(method) => &method.templates.name,
            Self::Repository(repository) => {
                repository.function.entry().version.as_deref().unwrap_or("repository")
            }
        }
    }

    /// The rule or strategy that labels, by name.
    pub fn rule_name(&self) -> &str {
        match self {
            Self::Llava(llava) => llava.rule.name(),
            Self::Chat(method) => method.strategy.name(),
            Self::Repository(repository) => &repository.function.entry().name,
        }
    }

    /// True where both label alike.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Llava(own), Self::Llava(others)) => own == others,
            (Self::Chat(own), Self::Chat(others)) => own.is_same(others),
            (Self::Repository(own), Self::Repository(others)) => Arc::ptr_eq(&own.function, &others.function),
            _ => false,
        }
    }
}
