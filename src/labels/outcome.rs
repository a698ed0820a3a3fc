//! The result of labelling one sample: ids, labels, the rounds' arithmetic, and why each token is what it is.

use std::ops::Range;

use crate::chat::PromptLayout;
use crate::python::PythonError;

pub use crate::tokenizer::{IGNORE_INDEX, IMAGE_TOKEN_INDEX};

/// One round as the rule counts it. Positions are token indices; `start..end` is where the *rule* puts
/// the round (`start` = cur_len before it, `end` = `start + round_len`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    pub round_len: i64,
    pub instruction_len: i64,
    pub start: i64,
    pub end: i64,
    /// Byte range of the prompt that the round's text was cut from.
    pub text: Range<usize>,
    /// Byte range within the prompt of the instruction part (what `instruction_len` was measured on).
    pub instruction_text: Range<usize>,
    /// The message that the round is, where a chat template made the prompt.
    pub message: Option<MessageRef>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// Index among the messages.
    pub index: usize,
    pub role: String,
}

/// A quirk of the trainer's code that took effect in a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Tokens concerned; empty when it concerns the whole sample.
    pub tokens: Range<usize>,
    pub text: String,
}

/// Why the loop over the rounds ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopEnd {
    /// All pieces were used.
    End,
    /// Round `round` was empty (the usual end: nothing follows the last separator).
    EmptyRound { round: usize },
    /// Round `round` did not split into the two parts that the rule expects.
    Parts { round: usize, parts: usize },
    /// The rule has no loop (`plain`, `v0`).
    NoLoop,
}

/// What a stretch of tokens is to the label rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Before `cur_len`'s start value: `[0, start)`.
    Start,
    /// `[cur_len, cur_len + instruction_len)` of a round.
    Instruction,
    /// The rest of a round: the answer and its stop token.
    Answer,
    /// After the last `cur_len`: the loop never reached these.
    Tail,
    /// `v0`: the header (system text).
    Header,
    /// `v0`: the part of a human turn that is left supervised by the rule.
    TurnHead,
    /// `plain`: the image placeholder(s) in front.
    ImagePrefix,
    /// Chat templates: what the template puts around a turn's own text (`round` is the turn).
    Frame,
    /// Chat templates: a turn's own text.
    Content,
}

/// A stretch of tokens with one reason; segments are in order and cover all tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub tokens: Range<usize>,
    pub kind: SegmentKind,
    /// Round, or turn for `v0`, that the segment belongs to.
    pub round: Option<usize>,
}

/// A sample with labels, as the training code would have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Token ids; [`IMAGE_TOKEN_INDEX`] where an image goes.
    pub input_ids: Vec<i64>,
    /// Final labels: the id, or [`IGNORE_INDEX`]. All ignored after a mismatch.
    pub labels: Vec<i64>,
    /// Labels as they were before the length check threw them away; equal to `labels` without a mismatch.
    pub labels_before_check: Vec<i64>,
    /// Tokens that the collator keeps: what lies behind is cut off with its labels. `usize::MAX` where nothing is.
    pub kept_len: usize,
    /// For each token the byte range of the prompt it stands for (empty for bos and the like).
    pub spans: Vec<Range<usize>>,
    /// The rule's count; `None` for rules that do not count (`plain`).
    pub cur_len: Option<i64>,
    /// Number of ids that differ from pad (plus the rule's corrections); `None` for `plain`.
    pub total_len: Option<i64>,
    pub mismatch: bool,
    /// The line that the training code prints, word for word.
    pub warning: Option<String>,
    pub rounds: Vec<Round>,
    pub stop: LoopEnd,
    pub segments: Vec<Segment>,
    /// Where the code did something its user would not expect.
    pub notes: Vec<Note>,
}

impl Labelled {
    /// The segment that token `index` lies in.
    pub fn segment_at(&self, index: usize) -> Option<&Segment> {
        let at = self.segments.partition_point(|s| s.tokens.end <= index);
        self.segments.get(at).filter(|s| s.tokens.contains(&index))
    }
}

/// One sample, inspected: the prompt and either labels or the exception that the training code raises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub id: String,
    pub has_image: bool,
    pub template: String,
    /// Name of the rule that ran (after `auto` was resolved).
    pub preprocess: String,
    /// The rendered prompt; `None` where building it already failed.
    pub prompt: Option<String>,
    /// Where the turns lie in the prompt; empty where there is none, or where no renderer made it.
    pub layout: PromptLayout,
    pub result: Result<Labelled, PythonError>,
}
