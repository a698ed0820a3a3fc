//! Labels by a template and a `preprocess_*` function of the LLaVA family.

use crate::chat::{Sample, Template};
use crate::labels::{Inspection, PromptOptions, RuleChoice, inspect};
use crate::masks::inspect_preset_labels;
use crate::tokenizer::Tokenizer;

/// A LLaVA template, the rule that counts its rounds, and the options of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlavaLabelling {
    pub template: Template,
    pub rule: RuleChoice,
    pub options: PromptOptions,
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
