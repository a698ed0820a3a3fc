//! TRL's `DataCollatorForCompletionOnlyLM` (0.19.1; removed in 0.20): searches the marker's ids.
//!
//! Labels start as the ids with every pad id masked, so an end-of-sequence token that is also the pad token is
//! never trained. Only the instruction marker starts a mask again: system and tool turns between an answer
//! and the next instruction are supervised.

use super::encoder::Encoder;
use super::{IGNORE_INDEX, MaskError, Masked, occurrences};
use crate::tokenizer::TokenId;

/// The two markers, as text; tokenised alone, as the collator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollatorMarkers {
    pub response: String,
    /// Without it only the last response is kept.
    pub instruction: Option<String>,
}

/// Labels of one sequence.
pub fn label(
    encoder: &dyn Encoder,
    input_ids: Vec<TokenId>,
    markers: &CollatorMarkers,
) -> Result<Masked, MaskError> {
    let response = encoder.ids(&markers.response)?;
    let instruction = markers.instruction.as_deref().map(|text| encoder.ids(text)).transpose()?;
    let pad = encoder.pad_id();
    let mut masked = Masked::ignored(input_ids);
    masked.supervise(0..masked.input_ids.len());
    for (id, label) in masked.input_ids.iter().zip(&mut masked.labels) {
        if Some(*id) == pad {
            *label = IGNORE_INDEX;
        }
    }
    if pad.is_some() && pad == encoder.eos_id() {
        masked.note(
            0..0,
            "the pad token is the eos token: no eos is supervised, the model may not learn to stop",
        );
    }
    // The collator searches the labels, where pad ids are already masked.
    let starts: Vec<usize> = occurrences(&masked.labels, &signed(&response)).collect();
    let ends: Vec<usize> = starts.iter().map(|start| start + response.len()).collect();
    match instruction {
        None => keep_last(&mut masked, ends.last().copied()),
        Some(instruction) => {
            let humans: Vec<usize> = occurrences(&masked.labels, &signed(&instruction)).collect();
            keep_pairs(&mut masked, &ends, humans);
        }
    }
    Ok(masked)
}

fn signed(ids: &[TokenId]) -> Vec<i64> {
    ids.iter().map(|id| i64::from(*id)).collect()
}

fn keep_last(masked: &mut Masked, end: Option<usize>) {
    match end {
        Some(end) => masked.ignore(0..end),
        None => nothing_found(masked, "the response marker"),
    }
}

fn keep_pairs(masked: &mut Masked, responses: &[usize], mut humans: Vec<usize>) {
    let (Some(first_response), Some(first_human)) = (responses.first(), humans.first()) else {
        let what = if responses.is_empty() { "the response marker" } else { "the instruction marker" };
        nothing_found(masked, what);
        return;
    };
    if first_human > first_response {
        humans.insert(0, 0);
    }
    for (index, (human, response)) in humans.iter().zip(responses).enumerate() {
        masked.ignore(if index == 0 { 0 } else { *human }..*response);
    }
    if responses.len() < humans.len() {
        let from = humans.last().copied().unwrap_or(0);
        masked.ignore(from..masked.labels.len());
    }
    if responses.len() != humans.len() {
        masked.note(
            0..0,
            format!(
                "{} instruction markers and {} response markers are paired in order: the pairs may not belong together",
                humans.len(),
                responses.len()
            ),
        );
    }
}

fn nothing_found(masked: &mut Masked, what: &str) {
    masked.ignore(0..masked.labels.len());
    masked.note(0..0, format!("{what} is not in the ids as it tokenises alone: the whole sample is masked"));
}
