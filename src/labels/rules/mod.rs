//! The label rules, one a file, and what they share. Each reproduces what the training code does, bugs included.
//! Their registry is in [`super::Rule`].

mod arithmetic;
pub mod bunny;
pub mod bunny_with_bos;
pub mod doc_qwen_phi;
pub mod doc_stablelm;
pub mod grouped;
pub mod llama_2;
pub mod llava_mpt;
pub mod llava_next_mpt;
pub mod llava_v1;
pub mod llavapp_llama3;
pub mod llavapp_phi3;
pub mod mgm_mpt;
pub mod mgm_v1;
pub mod mpt;
pub mod openchat;
pub mod phi;
pub mod phi_count;
pub mod plain;
mod rule_facts;
pub mod two;
pub mod v0;
pub mod v1;

pub use arithmetic::Arithmetic;
pub use rule_facts::{Counting, RoundRule, RuleFacts, TrainingCode};

use std::ops::Range;

use super::encode::{PromptIds, image_ids, piece_len, text_ids};
use super::round_counter::{Measured, RoundCounter};
use super::{LoopEnd, PromptOptions, PythonError};
use crate::chat::{SeparatorStyle, Template};
use crate::tokenizer::{Role, Tokenizer};

/// What a rule works on.
#[derive(Debug, Clone, Copy)]
pub struct RuleInput<'a> {
    pub tokenizer: &'a Tokenizer,
    pub template: &'a Template,
    pub options: &'a PromptOptions,
    pub prompt: &'a str,
    pub has_image: bool,
}

impl RuleInput<'_> {
    /// Ids of the whole prompt.
    fn prompt_ids(&self) -> Result<PromptIds, PythonError> {
        if self.has_image {
            image_ids(self.tokenizer, self.prompt)
        } else {
            text_ids(self.tokenizer, self.prompt, self.options.model_max_length)
        }
    }

    /// Number of ids of a piece that is encoded alone.
    fn measure(&self, text: &str) -> Result<i64, PythonError> {
        piece_len(self.tokenizer, text, self.has_image)
    }

    /// The assertion that each function makes about the template's style.
    fn assert_style(&self, style: SeparatorStyle) -> Result<(), PythonError> {
        if self.template.style == style { Ok(()) } else { Err(PythonError::new("AssertionError", "")) }
    }

    /// `total_len`: ids that differ from pad.
    ///
    /// # Errors
    /// `TypeError` without a pad id, as comparing a tensor with None raises.
    fn total_len(&self, ids: &[i64]) -> Result<i64, PythonError> {
        let pad = pad_id(self.tokenizer)?;
        Ok(i64::try_from(ids.iter().filter(|id| **id != pad).count()).unwrap_or(i64::MAX))
    }
}

/// Counts the rounds at `ranges` of the prompt into the counter, and says why it stopped.
///
/// A round must be split by `mark` into exactly two parts; the first, with the mark, is its instruction. Both are
/// measured alone, then `adjust` puts the rule's own offsets on (it gets the round's index).
fn count_rounds(
    input: RuleInput<'_>,
    round_counter: &mut RoundCounter,
    ranges: Vec<Range<usize>>,
    mark: &str,
    adjust: impl Fn(usize, &mut Measured) -> Result<(), PythonError>,
) -> Result<LoopEnd, PythonError> {
    for range in ranges {
        let round = input.prompt.get(range.clone()).unwrap_or("");
        let index = round_counter.rounds();
        if round.is_empty() {
            return Ok(LoopEnd::EmptyRound { round: index });
        }
        let parts = split_ranges(round, mark);
        let [instruction, _] = parts.as_slice() else {
            return Ok(LoopEnd::Parts { round: index, parts: parts.len() });
        };
        let end = instruction.end + mark.len();
        let mut measured = Measured {
            round_len: input.measure(round)?,
            instruction_len: input.measure(round.get(..end).unwrap_or(round))?,
            instruction_text: range.start..range.start + end,
            text: range,
        };
        adjust(index, &mut measured)?;
        round_counter.add_round(measured);
    }
    Ok(LoopEnd::End)
}

/// The pad id as a comparison needs it.
///
/// # Errors
/// `TypeError`, in torch's words, where it is None.
pub fn pad_id(tokenizer: &Tokenizer) -> Result<i64, PythonError> {
    tokenizer.role_id(Role::Pad).map(i64::from).ok_or_else(|| {
        let message = "ne() received an invalid combination of arguments - got (NoneType), but expected one of:\n \
                       * (Tensor other)\n      didn't match because some of the arguments have invalid types: \
                       (!NoneType!)\n * (Number other)\n      didn't match because some of the arguments have invalid \
                       types: (!NoneType!)\n";
        PythonError::new("TypeError", message)
    })
}

/// `text.split(separator)` with the byte range of each piece.
fn split_ranges(text: &str, separator: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut ranges = Vec::new();
    for piece in text.split(separator) {
        ranges.push(start..start + piece.len());
        start += piece.len() + separator.len();
    }
    ranges
}
