//! The generation prompt of an answer, as inference would write it, laid over the training text.

use super::divergence::{Divergence, divergence, shared_prefix};
use super::history::end_in;
use super::positions::Tokens;
use crate::masks::{Call, Chat};

/// The generation prompt of one answer, `R(messages before it, add_generation_prompt=True)`, laid over the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptAnatomy {
    /// The last character up to which both agree, counted from the answer's block on.
    pub end: usize,
    /// What the prompt writes beyond that and the training text lacks (`<think>` for one); empty where all of it
    /// is in the training text.
    pub missing: String,
    /// The messages before the answer are rendered otherwise at inference.
    pub history: Option<Divergence>,
    /// `add_generation_prompt` changes nothing.
    pub ignored: bool,
    /// The header that the prompt adds, whether or not the training text has it.
    pub header: String,
}

/// A conversation that begins with an answer: nothing can be rendered before it, but its header is that of the others.
/// `block_end` is the character at which that answer's block ends.
pub(super) fn first_prompt(
    whole: &str,
    header: &str,
    block_end: usize,
    tokens: &Tokens,
) -> Option<PromptAnatomy> {
    if header.is_empty() {
        return None;
    }
    let block = whole.get(..tokens.byte(block_end))?;
    let end = block.find(header)? + header.len();
    let end = tokens.chars.at(end);
    Some(PromptAnatomy {
        end,
        missing: String::new(),
        history: None,
        ignored: false,
        header: header.to_string(),
    })
}

/// The generation prompt of message `index`, whose block starts at byte `start`.
pub(super) fn prompt_of(
    chat: &Chat,
    call: Call,
    index: usize,
    whole: &str,
    start: usize,
    tokens: &Tokens,
) -> Option<PromptAnatomy> {
    let text = chat.text(call.prefix(index, true)).ok()?;
    let without = chat.text(call.prefix(index, false)).ok();
    Some(prompt(whole, start, &text, without.as_deref(), tokens))
}

/// The prompt for an answer whose block starts at `start`; `without` is the same call without the generation prompt.
fn prompt(whole: &str, start: usize, text: &str, without: Option<&str>, tokens: &Tokens) -> PromptAnatomy {
    let history = whole.get(..start).unwrap_or_default();
    let header_at = end_in(text, history, 0, "").unwrap_or(0);
    let header = text.get(header_at..).unwrap_or_default();
    let rest = whole.get(start..).unwrap_or_default();
    let mut shared = shared_prefix(rest, header);
    if shared < header.len() {
        shared = tokens.seam(start + shared).saturating_sub(start);
    }
    let differs = text.get(..header_at).is_none_or(|head| head != history);
    PromptAnatomy {
        end: tokens.chars.at(start + shared),
        missing: header.get(shared..).unwrap_or_default().to_string(),
        history: differs.then(|| divergence(whole, text, tokens)).flatten(),
        ignored: without == Some(text),
        header: header.to_string(),
    }
}
