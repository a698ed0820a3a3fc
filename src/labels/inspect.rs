//! One sample through the whole pipeline.

use std::borrow::Cow;

use super::options::PromptOptions;
use super::rules::{Counting, RuleInput, plain, v0};
use super::{Inspection, Labelled, PythonError, RuleChoice, multimodal};
use crate::chat::{Prompt, PromptLayout, Sample, Template, Turn, build_messages, speaker_prompt};
use crate::tokenizer::Tokenizer;

/// Labels of one sample. Reports name a rule of one's own numbers `custom`.
pub fn inspect(
    tokenizer: &Tokenizer,
    template: &Template,
    rule: impl Into<RuleChoice>,
    options: &PromptOptions,
    sample: &Sample,
) -> Inspection {
    let rule = rule.into();
    let has_image = sample.has_image;
    inspection(template, options, sample, rule.name(), |turns, prompt_out| match rule.counting() {
        Counting::Caption => {
            let prompt = prompt_out.insert(plain::prompt(template, turns)?);
            plain::label(tokenizer, &prompt.text)
        }
        Counting::Turns => {
            let prompt = prompt_out.insert(speaker_prompt(template, turns));
            let prompt_text = &prompt.text;
            v0::label(
                RuleInput { tokenizer, template, options, prompt: prompt_text, has_image },
                &prompt.layout,
                turns,
            )
        }
        Counting::Two(two) => {
            let prompt = prompt_out.insert(template.prompt(&build_messages(turns)?)?);
            two.label(RuleInput { tokenizer, template, options, prompt: &prompt.text, has_image })
        }
        Counting::Grouped(grouped) => {
            let prompt = prompt_out.insert(template.prompt(&build_messages(turns)?)?);
            grouped.label(RuleInput { tokenizer, template, options, prompt: &prompt.text, has_image })
        }
        Counting::Rounds(rounds) => {
            let prompt = prompt_out.insert(template.prompt(&build_messages(turns)?)?);
            (rounds.label)(RuleInput { tokenizer, template, options, prompt: &prompt.text, has_image })
        }
    })
}

/// Runs `label` on the turns with images where the training code puts them. It leaves the prompt behind, which is
/// shown for samples that raise after it was made, too.
fn inspection(
    template: &Template,
    options: &PromptOptions,
    sample: &Sample,
    preprocess: &str,
    label: impl FnOnce(&[Turn], &mut Option<Prompt>) -> Result<Labelled, PythonError>,
) -> Inspection {
    let mut prompt = None;
    let turns = match sample.has_image {
        true => multimodal::rewrite(&sample.conversations, template, options).map(Cow::Owned),
        false => Ok(Cow::Borrowed(sample.conversations.as_slice())),
    };
    let result = turns.and_then(|turns| label(&turns, &mut prompt));
    let (prompt, layout) = prompt.map_or((None, PromptLayout::default()), |p| (Some(p.text), p.layout));
    Inspection {
        id: sample.id.clone(),
        has_image: sample.has_image,
        template: template.name.clone(),
        preprocess: preprocess.to_string(),
        prompt,
        layout,
        result,
    }
    .kept(options.model_max_length)
}
