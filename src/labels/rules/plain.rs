//! Image pre-training: one image, one caption. The question is thrown away and nothing is counted.

use super::rule_facts::{Counting, RuleFacts, TrainingCode};
use crate::chat::{Prompt, SeparatorStyle, Template, Turn, caption_prompt};
use crate::labels::encode::{image_ids, piece_len};
use crate::labels::multimodal::IMAGE;
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError, SegmentKind};
use crate::tokenizer::Tokenizer;

pub static RULE: RuleFacts = RuleFacts {
    name: "plain",
    aliases: &[],
    summary: "image pre-training: image, then a caption that is all supervised; no length check",
    runs_for: |template| template.style == SeparatorStyle::Plain,
    counting: Counting::Caption,
    code: TrainingCode { function: None, also: "" },
};

/// The prompt: image placeholder, caption, separator.
///
/// # Errors
/// `AssertionError` without exactly two turns or without an image in the first.
pub fn prompt(template: &Template, turns: &[Turn]) -> Result<Prompt, PythonError> {
    match turns {
        [question, answer] if question.value.contains(IMAGE) => {
            Ok(caption_prompt(template, IMAGE, &answer.value))
        }
        _ => Err(PythonError::new("AssertionError", "")),
    }
}

/// Labels of a prompt: all but what the placeholder alone encodes to.
///
/// # Errors
/// What `preprocess_plain` raises.
pub fn label(tokenizer: &Tokenizer, prompt: &str) -> Result<Labelled, PythonError> {
    let ids = image_ids(tokenizer, prompt)?;
    let masked = piece_len(tokenizer, IMAGE, true)?;
    let len = i64::try_from(ids.ids.len()).unwrap_or(i64::MAX);
    let mut round_counter = RoundCounter::new(ids, 0);
    round_counter.name(0, len, SegmentKind::Answer, Some(0));
    round_counter.mask(0, masked, SegmentKind::ImagePrefix, None);
    Ok(round_counter.finish_unchecked(None, None))
}
