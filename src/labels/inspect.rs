//! One sample through the whole pipeline.

use super::rules::mpt::MptRule;
use super::rules::two::TwoRule;
use super::rules::{RuleInput, llama_2, mpt, plain, v0};
use super::{Inspection, Labelled, PythonError, Rule, multimodal};
use crate::chat::{Sample, Template, Turn, build_messages, speaker_prompt};
use crate::tokenizer::Tokenizer;

/// Settings of the training run that change prompts or the length check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptOptions {
    /// Text prompts are cut here; the length check is skipped from here on.
    pub model_max_length: usize,
    /// Frames that one `<video>` stands for.
    pub num_frames: usize,
    /// Wrap image placeholders in `<im_start>` and `<im_end>`.
    pub mm_use_im_start_end: bool,
}

impl Default for PromptOptions {
    fn default() -> Self {
        Self { model_max_length: 2048, num_frames: 8, mm_use_im_start_end: false }
    }
}

/// Labels of one sample.
pub fn inspect(
    tokenizer: &Tokenizer,
    template: &Template,
    rule: Rule,
    options: &PromptOptions,
    sample: &Sample,
) -> Inspection {
    let mut prompt = None;
    let result = label(tokenizer, template, rule, options, sample, &mut prompt);
    Inspection {
        id: sample.id.clone(),
        has_image: sample.has_image,
        template: template.name.clone(),
        preprocess: rule.name().to_string(),
        prompt,
        result,
    }
}

/// Labels of one sample under a rule of its own numbers, which reports name `custom`.
pub fn inspect_two(
    tokenizer: &Tokenizer,
    template: &Template,
    two: TwoRule,
    options: &PromptOptions,
    sample: &Sample,
) -> Inspection {
    let mut prompt = None;
    let mut label = || {
        let turns = turns_of(template, options, sample)?;
        let prompt = prompt.insert(template.prompt(&build_messages(&turns)?)?);
        two.label(RuleInput { tokenizer, template, options, prompt, has_image: sample.has_image })
    };
    let result = label();
    Inspection {
        id: sample.id.clone(),
        has_image: sample.has_image,
        template: template.name.clone(),
        preprocess: "custom".to_string(),
        prompt,
        result,
    }
}

/// The turns with images where the training code puts them.
fn turns_of(template: &Template, options: &PromptOptions, sample: &Sample) -> Result<Vec<Turn>, PythonError> {
    match sample.has_image {
        true => multimodal::rewrite(&sample.conversations, template, options),
        false => Ok(sample.conversations.clone()),
    }
}

fn label(
    tokenizer: &Tokenizer,
    template: &Template,
    rule: Rule,
    options: &PromptOptions,
    sample: &Sample,
    prompt_out: &mut Option<String>,
) -> Result<Labelled, PythonError> {
    let turns = turns_of(template, options, sample)?;
    let has_image = sample.has_image;
    if rule == Rule::Plain {
        let prompt = prompt_out.insert(plain::prompt(template, &turns)?);
        return plain::label(tokenizer, prompt);
    }
    if rule == Rule::V0 {
        let (prompt, header, pieces) = speaker_prompt(template, &turns);
        let prompt = prompt_out.insert(prompt);
        let input = RuleInput { tokenizer, template, options, prompt, has_image };
        return v0::label(input, &header, &pieces, &turns);
    }
    let prompt = prompt_out.insert(template.prompt(&build_messages(&turns)?)?);
    let input = RuleInput { tokenizer, template, options, prompt, has_image };
    match rule {
        Rule::Llama2 => llama_2::label(input),
        Rule::Mpt => mpt::label(MptRule::MoeLlava, input),
        Rule::LlavaMpt => mpt::label(MptRule::Llava, input),
        rule => match TwoRule::of(rule) {
            Some(two) => two.label(input),
            None => Err(PythonError::new("NotImplementedError", rule.name())),
        },
    }
}
