//! The `###` fall-through: header and turns are encoded one by one, and their lengths decide.
//!
//! Nothing is checked here: where pieces tokenize differently alone than in the prompt, every boundary after
//! them is off, silently.

use super::RuleInput;
use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use crate::chat::{PromptLayout, Turn, speaker_header};
use crate::labels::encode::{check_padding, piece_len};
use crate::labels::round_counter::RoundCounter;
use crate::labels::{Labelled, PythonError, Round, SegmentKind};

pub static RULE: RuleFacts = RuleFacts {
    name: "v0",
    aliases: &[],
    summary: "### turns, each encoded alone; no length check",
    // What is left when no other rule is meant.
    runs_for: never,
    counting: Counting::Turns,
    code: TrainingCode { function: None, also: "" },
};

/// Ids of each human turn that the rule leaves supervised (meant for the `### ` in front).
const TURN_HEAD: i64 = 2;

/// Labels of a prompt made by [`crate::chat::speaker_prompt`] from `turns`, which lie in it as `layout` says.
///
/// # Errors
/// What `preprocess` raises.
pub fn label(input: RuleInput<'_>, layout: &PromptLayout, turns: &[Turn]) -> Result<Labelled, PythonError> {
    let prompt_ids = input.prompt_ids()?;
    let header = speaker_header(input.template);
    let mut lengths = vec![piece_length(input, &header)?];
    for turn in &layout.turns {
        lengths.push(piece_length(input, input.prompt.get(turn.whole.clone()).unwrap_or_default())?);
    }
    let total = i64::try_from(prompt_ids.ids.len()).unwrap_or(i64::MAX);
    let sum: i64 = lengths.iter().sum();
    let mut round_counter = RoundCounter::new(prompt_ids, 0);
    round_counter.name(0, total, SegmentKind::Answer, None);
    let mut lengths = lengths.into_iter();
    let mut at = lengths.next().unwrap_or(0);
    round_counter.mask(0, at, SegmentKind::Header, None);
    let mut rounds = vec![round(0, at, 0..header.len())];
    for (index, ((len, turn), place)) in lengths.zip(turns).zip(&layout.turns).enumerate() {
        let is_human = turn.from == "human";
        round_counter.name(at, at + len, SegmentKind::Answer, Some(index));
        if is_human {
            round_counter.name(at, at + TURN_HEAD, SegmentKind::TurnHead, Some(index));
            round_counter.mask(at + TURN_HEAD, at + len, SegmentKind::Instruction, Some(index));
        }
        rounds.push(round(at, len, place.whole.clone()));
        at += len;
    }
    let mut labelled = round_counter.finish_unchecked(Some(sum), Some(total));
    labelled.rounds = rounds;
    Ok(labelled)
}

fn round(start: i64, len: i64, text: std::ops::Range<usize>) -> Round {
    Round {
        round_len: len,
        instruction_len: 0,
        start,
        end: start + len,
        instruction_text: text.clone(),
        text,
        message: None,
    }
}

/// Length of a piece: for text samples ids equal to pad do not count, and the piece is cut like a prompt.
fn piece_length(input: RuleInput<'_>, piece: &str) -> Result<i64, PythonError> {
    if input.has_image {
        return piece_len(input.tokenizer, piece, true);
    }
    check_padding(input.tokenizer)?;
    let encoding = input.tokenizer.encode_truncated(piece, input.options.model_max_length)?;
    let ids: Vec<i64> = encoding.ids.iter().map(|id| i64::from(*id)).collect();
    input.total_len(&ids)
}
