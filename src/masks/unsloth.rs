//! Unsloth's `train_on_responses_only` (unsloth_zoo 2026.10.9): searches the marker's stable core.
//!
//! Edge tokens of a marker that change with the text beside them are optional, but only while an added
//! token anchors what is left. A response runs to the eos token (kept), or to a bos, a message opener that all
//! roles share, another response marker, the instruction marker, or the end.

use std::ops::Range;

use super::encoder::Encoder;
use super::{MaskError, Masked};
use crate::tokenizer::TokenId;

/// Text put beside a marker to see which of its ids keep.
const EDGE_PROBES: [&str; 10] = ["\\", "{", "a", "A", "1", "(", ".", "<", "}", ">"];

/// Arguments of `train_on_responses_only`; `force_match=True`, its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnslothOptions {
    pub instruction_part: String,
    pub response_part: String,
    pub last_response_only: bool,
    /// Masked again wherever their ids stand.
    pub mask_out_tokens: Vec<String>,
}

/// A marker's ids: what must match and what may stand beside it.
#[derive(Debug, Clone)]
struct Marker {
    core: Vec<TokenId>,
    left: Vec<TokenId>,
    right: Vec<TokenId>,
}

/// Labels of one sequence.
///
/// # Errors
/// `ValueError` when a marker tokenises to nothing.
pub fn label(
    encoder: &dyn Encoder,
    input_ids: Vec<TokenId>,
    options: &UnslothOptions,
) -> Result<Masked, MaskError> {
    let scan = MarkerScan::new(encoder, options)?;
    let mut spans = scan.responses(&input_ids);
    if options.last_response_only {
        spans = spans.last().cloned().into_iter().collect();
    }
    let found = !spans.is_empty();
    let mut masked = Masked::ignored(input_ids);
    for span in spans {
        masked.supervise(span);
    }
    if !found {
        masked.note(0..0, "the response marker is not in the ids: the whole sample is masked");
    }
    mask_out(encoder, &mut masked, &options.mask_out_tokens)?;
    Ok(masked)
}

/// Marker ids and boundaries, ready to scan.
struct MarkerScan {
    instruction: Marker,
    response: Marker,
    /// Opener shared by all roles; empty when it is no special token.
    message_start: Vec<TokenId>,
    bos: Option<TokenId>,
    eos: Option<TokenId>,
}

impl MarkerScan {
    fn new(encoder: &dyn Encoder, options: &UnslothOptions) -> Result<Self, MaskError> {
        let mut instruction = marker(encoder, &options.instruction_part)?;
        let mut response = marker(encoder, &options.response_part)?;
        for (name, marker) in [("instruction_part", &instruction), ("response_part", &response)] {
            if marker.core.is_empty() {
                return Err(MaskError::python(
                    "ValueError",
                    format!(
                        "Unsloth: {name} could not be resolved to a stable token sequence, so it cannot be matched \
                         against your dataset - it tokenizes to nothing, or no stable core could be recovered from it. \
                         Pass a different marker, pass neither to auto-detect both."
                    ),
                ));
            }
        }
        // Trimming can leave the opener that both roles share; then the right edge is needed after all.
        if instruction.core.starts_with(&response.core) && !response.right.is_empty() {
            let right = std::mem::take(&mut response.right);
            response.core.extend(right);
        }
        if response.core.starts_with(&instruction.core) && !instruction.right.is_empty() {
            let right = std::mem::take(&mut instruction.right);
            instruction.core.extend(right);
        }
        let shared = instruction.core.iter().zip(&response.core).take_while(|(q, a)| q == a).map(|(q, _)| *q);
        let mut message_start: Vec<TokenId> = shared.collect();
        let all_special = message_start.iter().all(|id| encoder.is_special(*id));
        let visible = |id: &TokenId| encoder.added_token(*id).is_some_and(|t| !t.trim().is_empty());
        if !all_special || !message_start.iter().any(visible) {
            message_start.clear();
        }
        Ok(Self { instruction, response, message_start, bos: encoder.bos_id(), eos: encoder.eos_id() })
    }

    /// Every response, marker excluded.
    fn responses(&self, ids: &[TokenId]) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut at = 0;
        while at < ids.len() {
            if starts(ids, at, &self.response.core) {
                let start = self.response.after(ids, at);
                let (end, next) = self.response_end(ids, start);
                if let Some(end) = end {
                    spans.push(start..end);
                }
                at = next;
            } else {
                at += 1;
            }
        }
        spans
    }

    /// End of the response that begins at `start`, and where to look on.
    fn response_end(&self, ids: &[TokenId], start: usize) -> (Option<usize>, usize) {
        let len = ids.len();
        let mut at = start;
        while let Some(token) = ids.get(at).copied() {
            if Some(token) == self.eos {
                return (Some(at + 1), at + 1);
            }
            let opener = !self.message_start.is_empty() && starts(ids, at, &self.message_start);
            if Some(token) == self.bos || opener || starts(ids, at, &self.response.core) {
                return (Some(at), at);
            }
            let instruction = starts(ids, at, &self.instruction.core);
            if at + 1 == len || instruction {
                // The marker may be cut short only by its optional left tokens.
                let begin = self.instruction.before(ids, at);
                if begin + 1 == len {
                    return (Some(len), len);
                }
                // At the end of the text nothing was matched: Python's `k` is still that of the response.
                let next = if instruction { self.instruction.after(ids, at) } else { len };
                return (Some(begin), next);
            }
            at += 1;
        }
        (None, len)
    }
}

impl Marker {
    /// Position after a match at `at` and what may follow it.
    fn after(&self, ids: &[TokenId], at: usize) -> usize {
        let end = at + self.core.len();
        end + self.right.iter().zip(ids.iter().skip(end)).take_while(|(want, got)| want == got).count()
    }

    /// Position of what may stand before a match at `at`.
    fn before(&self, ids: &[TokenId], at: usize) -> usize {
        let head = ids.get(..at).unwrap_or_default();
        at - self.left.iter().rev().zip(head.iter().rev()).take_while(|(want, got)| want == got).count()
    }
}

fn starts(ids: &[TokenId], at: usize, wanted: &[TokenId]) -> bool {
    ids.get(at..).is_some_and(|rest| rest.starts_with(wanted))
}

fn marker(encoder: &dyn Encoder, text: &str) -> Result<Marker, MaskError> {
    let ids = encoder.ids(text)?;
    let stable = stable_edges(encoder, text, &ids)?;
    let core = ids.get(stable.clone()).unwrap_or_default();
    let anchored = core.iter().any(|id| encoder.added_token(*id).is_some_and(|t| !t.trim().is_empty()));
    if stable.is_empty() || stable == (0..ids.len()) || !anchored {
        return Ok(Marker { core: ids, left: Vec::new(), right: Vec::new() });
    }
    let left = ids.get(..stable.start).unwrap_or_default().to_vec();
    let right = ids.get(stable.end..).unwrap_or_default().to_vec();
    Ok(Marker { core: core.to_vec(), left, right })
}

/// The part of a marker's ids that is the same whatever text touches it.
fn stable_edges(encoder: &dyn Encoder, text: &str, ids: &[TokenId]) -> Result<Range<usize>, MaskError> {
    let (mut start, mut end) = (0, ids.len());
    for probe in EDGE_PROBES {
        let followed = encoder.ids(&format!("{text}{probe}"))?;
        end = end.min(ids.iter().zip(&followed).take_while(|(a, b)| a == b).count());
        let preceded = encoder.ids(&format!("{probe}{text}"))?;
        let kept = ids.iter().rev().zip(preceded.iter().rev()).take_while(|(a, b)| a == b).count();
        start = start.max(ids.len() - kept);
    }
    Ok(start..end.max(start))
}

fn mask_out(encoder: &dyn Encoder, masked: &mut Masked, tokens: &[String]) -> Result<(), MaskError> {
    for token in tokens {
        let bare = encoder.ids(token)?;
        let spaced = encoder.ids(&format!(" {token}"))?;
        let holds_bare = !bare.is_empty() && spaced.windows(bare.len()).any(|window| window == bare);
        let variants = [Some(bare), (!holds_bare).then_some(spaced)];
        for ids in variants.into_iter().flatten().filter(|ids| !ids.is_empty()) {
            let hits: Vec<usize> = super::occurrences(&masked.input_ids, &ids).collect();
            for at in hits {
                masked.ignore(at..at + ids.len());
            }
        }
    }
    Ok(())
}
