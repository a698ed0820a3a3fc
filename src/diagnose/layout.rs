//! Where each turn stands in the prompt: known from the conversation, not found again by its separators.
//!
//! The label rules find rounds by splitting the prompt, and a text that contains a separator fools them. This
//! is the other view, against which their masks are judged.

use std::ops::Range;

use super::plan::{Counting, Plan};
use crate::chat::{Sample, SeparatorStyle, Template, Turn, build_messages};
use crate::labels::{Labelled, Rule, multimodal};
use crate::tokenizer::{TokenId, Tokenizer};

/// One turn in the prompt, as byte ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSpan {
    /// True for the assistant's turns.
    pub answer: bool,
    /// What the turn says.
    pub text: Range<usize>,
    /// Where generation would begin: supervision may start here or at `text.start`.
    pub generation: usize,
    /// After the closing separator.
    pub end: usize,
}

/// The turns of a sample as the rule's prompt has them; `None` for rules whose prompt has no such turns
/// (`plain`, `v0`), and for samples that the training code refuses.
pub fn turns(plan: &Plan, sample: &Sample, prompt: &str) -> Option<Vec<TurnSpan>> {
    if matches!(plan.counting, Counting::Named(Rule::Plain | Rule::V0)) {
        return None;
    }
    let template = &plan.setup.template;
    let rewritten: Vec<Turn>;
    let turns = if sample.has_image {
        rewritten = multimodal::rewrite(&sample.conversations, template, &plan.setup.options).ok()?;
        &rewritten
    } else {
        &sample.conversations
    };
    let messages = build_messages(turns).ok()?;
    let spans = walk(template, &messages, prompt)?;
    (spans.last().map_or(0, |s| s.end) == prompt.len()).then_some(spans)
}

/// Walks along the prompt turn by turn; `None` where it is not what the template writes.
fn walk(template: &Template, messages: &[(usize, String)], prompt: &str) -> Option<Vec<TurnSpan>> {
    let mut at = match template.style {
        SeparatorStyle::Llama2 => 0,
        SeparatorStyle::Plain => return None,
        _ => template.system.len() + template.sep.len(),
    };
    let mut spans = Vec::with_capacity(messages.len());
    for (index, (role, message)) in messages.iter().enumerate() {
        let (head, gap, tail) = frame(template, index, *role, message, at == 0);
        let text_start = at + head + gap;
        let text = text_start..text_start + message.len();
        if prompt.get(text.clone()) != Some(message.as_str()) {
            return None;
        }
        let end = text.end + tail;
        spans.push(TurnSpan { answer: *role == 1, generation: at + head, text, end });
        at = end;
    }
    Some(spans)
}

/// Bytes before the place where generation starts, from there to the text, and after the text.
fn frame(
    template: &Template,
    index: usize,
    role: usize,
    message: &str,
    first: bool,
) -> (usize, usize, usize) {
    let name = template.roles.get(role).map_or(0, String::len);
    let sep = template.sep.len();
    let sep2 = template.sep2.as_ref().map_or(0, String::len);
    let empty = message.is_empty();
    match template.style {
        SeparatorStyle::Mpt => (name, 0, if empty { 0 } else { sep }),
        SeparatorStyle::Llama2 if empty => (0, 0, 0),
        SeparatorStyle::Llama2 if index % 2 == 1 => (0, 1, 1 + sep2),
        SeparatorStyle::Llama2 => {
            // The characters of the first separator are stripped from the left of the prompt.
            let system = if index == 0 { "<<SYS>>\n\n<</SYS>>\n\n".len() + template.system.len() } else { 0 };
            ("[INST] ".len() + system + if first { 0 } else { sep }, 0, " [/INST]".len())
        }
        _ if empty => (name + 1, 0, 0),
        SeparatorStyle::Single => (name + 1, 1, sep),
        _ => (name + 1, 1, if index.is_multiple_of(2) { sep } else { sep2 }),
    }
}

/// Number of tokens that end at or before a byte of the prompt.
///
/// A token that stands for no text (the `▁` that SentencePiece puts before a text) belongs to what follows it; at the
/// prompt's beginning it counts, as bos stands there.
pub fn tokens_before(spans: &[Range<usize>], byte: usize) -> usize {
    spans.partition_point(|span| span.end <= byte && (span.start < byte || byte == 0))
}

/// Number of special tokens that stand in front for no text: bos, where the class puts one.
pub fn tokens_in_front(tokenizer: &Tokenizer, ids: &[i64], spans: &[Range<usize>]) -> usize {
    let is_special = |id: i64| TokenId::try_from(id).is_ok_and(|id| tokenizer.is_special(id));
    ids.iter().zip(spans).take_while(|(id, span)| span.end == 0 && is_special(**id)).count()
}

/// A mask held against the turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaskCheck {
    /// Tokens of answers and their stop tokens.
    pub wanted: usize,
    /// Of these, tokens that are masked.
    pub missing: usize,
    /// Supervised tokens outside of answers.
    pub leaked: usize,
    /// Answers whose last token is masked.
    pub unstopped: usize,
    /// Supervised tokens that are nothing but the space before an answer.
    pub bare_spaces: usize,
}

impl MaskCheck {
    /// True when exactly the answers and their stop tokens are supervised.
    pub fn is_right(&self) -> bool {
        self.missing == 0 && self.leaked == 0
    }
}

/// Compares the labels before the length check with the answers. Text behind a truncation is not asked for.
pub fn check_mask(labelled: &Labelled, turns: &[TurnSpan]) -> MaskCheck {
    let mut check = MaskCheck::default();
    let supervised = |i: usize| labelled.labels_before_check.get(i).is_some_and(|l| *l >= 0);
    let all = (0..labelled.input_ids.len()).filter(|i| supervised(*i)).count();
    let mut inside = 0;
    for turn in turns.iter().filter(|t| t.answer && !t.text.is_empty()) {
        let first = tokens_before(&labelled.spans, turn.generation);
        let end = tokens_before(&labelled.spans, turn.end);
        // A token that also covers what follows the separator belongs to nobody.
        for i in first..end {
            let span = labelled.spans.get(i).cloned().unwrap_or(0..0);
            let image = labelled.input_ids.get(i).is_some_and(|id| *id < 0);
            inside += usize::from(supervised(i));
            if span.end <= turn.text.start {
                check.bare_spaces += usize::from(supervised(i));
            } else if !image {
                check.wanted += 1;
                check.missing += usize::from(!supervised(i));
            }
        }
        check.unstopped += usize::from(end > first && !supervised(end - 1));
    }
    check.leaked = all.saturating_sub(inside);
    check
}
