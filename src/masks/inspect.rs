//! One sample through a strategy: the same result as the label rules of the LLaVA family give.

use super::assemble::{LocatedMessages, labelled, python_error, spelled};
use super::layout::{by_content, of_template};
use super::preset_labels::completion_labels;
use super::{MaskError, Masked, Method, trainer_path};
use crate::chat::{Body, Conversation, PromptLayout, Sample};
use crate::labels::{Inspection, Labelled};
use crate::tokenizer::Tokenizer;

impl Method {
    /// Labels of one sample that is a conversation; [`crate::labelling::Labelling::inspect`] also takes records that
    /// bring labels of their own.
    pub fn inspect(&self, tokenizer: &Tokenizer, sample: &Sample) -> Inspection {
        let conversation = self.with_kwargs(sample.conversation().unwrap_or_default().into_owned());
        let (name, masked) = match sample.body {
            // A prompt and its completion say what is supervised, unless a strategy was asked for.
            Body::PromptCompletion { prompt, .. } if self.auto && self.renders_plainly() => {
                ("prompt_completion", completion_labels(self, tokenizer, &conversation, prompt))
            }
            Body::PromptCompletion { prompt, .. } => {
                (self.strategy.name(), self.label(tokenizer, &conversation, prompt))
            }
            _ => {
                let prompt = conversation.messages.len().saturating_sub(1);
                (self.strategy.name(), self.label(tokenizer, &conversation, prompt))
            }
        };
        self.inspection(tokenizer, sample, name, &conversation, masked)
    }

    /// Labels of one sample by a trainer's own data path: where one was asked for, and of preference rows always;
    /// `None` for every other sample.
    pub fn inspect_row(&self, tokenizer: &Tokenizer, sample: &Sample) -> Option<Inspection> {
        let asked = self.strategy.trainer().filter(|_| !self.auto);
        let trainer = match &sample.body {
            Body::Preference(row) => trainer_path::of_preference(asked, row),
            _ => asked?,
        };
        let row = trainer_path::row_of_sample(sample, trainer)?;
        let conversation = sample.conversation().unwrap_or_default().into_owned();
        let masked = self.label_row(trainer, tokenizer, row);
        Some(self.inspection(tokenizer, sample, trainer.name(), &conversation, masked))
    }

    /// The result of a strategy with the turns of its text.
    fn inspection(
        &self,
        tokenizer: &Tokenizer,
        sample: &Sample,
        preprocess: &str,
        conversation: &Conversation,
        masked: Result<Masked, MaskError>,
    ) -> Inspection {
        let (prompt, layout, result) = match masked {
            Ok(masked) => {
                let (text, layout, labelled) = self.labelled(tokenizer, conversation, masked);
                (Some(text), layout, Ok(labelled))
            }
            Err(error) => (None, PromptLayout::default(), Err(python_error(error))),
        };
        Inspection {
            id: sample.id.clone(),
            has_image: sample.has_image,
            template: self.templates.name.clone(),
            preprocess: preprocess.to_string(),
            prompt,
            layout,
            result,
        }
    }

    /// The text of a sequence, where its turns lie, and its labels: the text that was encoded, else what the ids
    /// spell.
    fn labelled(
        &self,
        tokenizer: &Tokenizer,
        conversation: &Conversation,
        mut masked: Masked,
    ) -> (String, PromptLayout, Labelled) {
        let (text, spans, layout) = match masked.source.take() {
            Some(source) => {
                let layout = of_template(self.chat(tokenizer, conversation).ok(), conversation, &source);
                let mut spans = source.spans;
                spans.truncate(masked.input_ids.len());
                (source.text, spans, layout)
            }
            None => {
                let ids: Vec<i64> = masked.input_ids.iter().map(|id| i64::from(*id)).collect();
                let (text, spans) = spelled(tokenizer, &ids);
                let layout = by_content(conversation, &text);
                (text, spans, layout)
            }
        };
        let located = LocatedMessages::new(&conversation.messages, &layout);
        let labelled = labelled(masked, spans, located);
        (text, layout, labelled)
    }
}
