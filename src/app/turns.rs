//! The turns of a prompt as the screens show them: with rounds, and a section for each.

use std::ops::Range;

use crate::chat::{PromptLayout, Sample, TurnLayout};
use crate::labels::{Labelled, SegmentKind};

pub use crate::chat::Speaker;

impl Speaker {
    /// As screens write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "USER",
            Self::Assistant => "ANSWER",
            Self::Tool => "TOOL",
        }
    }
}

/// One turn in the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptTurn {
    pub speaker: Speaker,
    /// Bytes of the prompt, with role mark and separator.
    pub whole: Range<usize>,
    /// Bytes of the message itself.
    pub message: Range<usize>,
    /// Index in the sample's conversation.
    pub turn: usize,
    /// Round counted from 0.
    pub round: usize,
    /// An answer that calls tools.
    pub calls: bool,
    /// Byte from which the screens show it as a section of its own: a LLaVA answer without its role mark, which the
    /// question's section ends with.
    pub section_start: usize,
}

/// The turns of a sample of messages, from where its inspection found them. A round begins with each question.
pub fn message_turns(sample: &Sample, labelled: &Labelled) -> Vec<PromptTurn> {
    let Some(conversation) = sample.conversation() else { return Vec::new() };
    // A system text of the row itself stands before the turns.
    let before = conversation.messages.len().saturating_sub(sample.conversations.len());
    let mut asked = 0_usize;
    let mut found = Vec::with_capacity(labelled.rounds.len());
    for (index, round) in labelled.rounds.iter().enumerate() {
        let Some(message) = &round.message else { continue };
        let speaker = match message.role.as_str() {
            "user" | "human" => Speaker::User,
            "assistant" | "gpt" | "model" => Speaker::Assistant,
            "system" | "developer" => Speaker::System,
            _ => Speaker::Tool,
        };
        asked += usize::from(speaker == Speaker::User);
        let content =
            labelled.segments.iter().filter(|s| s.round == Some(index) && s.kind == SegmentKind::Content);
        let end = content
            .filter_map(|s| labelled.spans.get(s.tokens.end.checked_sub(1)?))
            .map(|span| span.end)
            .max();
        let start = round.instruction_text.end;
        let calls = conversation.messages.get(message.index).and_then(|m| m.get("tool_calls"));
        found.push(PromptTurn {
            speaker,
            whole: round.text.clone(),
            message: start..end.unwrap_or(round.text.end).clamp(start, round.text.end.max(start)),
            turn: message.index.saturating_sub(before),
            round: asked.saturating_sub(1),
            calls: calls.is_some_and(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty())),
            section_start: round.text.start,
        });
    }
    found
}

/// The turns of a sample in the prompt of a LLaVA template. A round ends with each answer.
pub fn prompt_turns(layout: &PromptLayout) -> Vec<PromptTurn> {
    let mut round = 0;
    let turn = |turn: &TurnLayout| {
        let answers = turn.speaker == Speaker::Assistant;
        let found = PromptTurn {
            speaker: turn.speaker,
            whole: turn.whole.clone(),
            message: turn.content.clone(),
            turn: turn.index,
            round,
            calls: false,
            section_start: if answers { turn.content.start } else { turn.whole.start },
        };
        round += usize::from(answers);
        found
    };
    layout.turns.iter().map(turn).collect()
}
