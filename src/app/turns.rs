//! Where each turn really is in the prompt, found without any label rule.
//!
//! Chat templates: the inspection says where the messages lie. A LLaVA template writes turns one after another, so the prompt of the first k turns is a prefix of the whole one:
//! the lengths of those prefixes are where turns end.

use std::ops::Range;

use crate::chat::{Sample, Turn, build_messages, speaker_prompt};
use crate::labels::{Labelled, Rule, SegmentKind, multimodal};
use crate::setup::Setup;

/// Who speaks in a stretch of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    System,
    User,
    Assistant,
    /// What a tool gave back, and every other role.
    Tool,
}

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

/// The turns of a sample in its prompt; empty where the prompt cannot be built.
pub fn prompt_turns(setup: &Setup, sample: &Sample, prompt: &str) -> Vec<PromptTurn> {
    let rewritten = if sample.has_image {
        multimodal::rewrite(&sample.conversations, &setup.template, &setup.options).ok()
    } else {
        Some(sample.conversations.clone())
    };
    let Some(turns) = rewritten else { return Vec::new() };
    let mut found = match setup.rule {
        Rule::Plain => caption(&turns, prompt),
        Rule::V0 => speaker_turns(setup, &turns),
        _ => template_turns(setup, &turns, prompt),
    };
    let mut round = 0;
    for turn in &mut found {
        turn.round = round;
        round += usize::from(turn.speaker == Speaker::Assistant);
    }
    found
}

/// Image pre-training keeps only the answer.
fn caption(turns: &[Turn], prompt: &str) -> Vec<PromptTurn> {
    let Some(answer) = turns.get(1) else { return Vec::new() };
    let start = multimodal::IMAGE.len().min(prompt.len());
    let message = start..(start + answer.value.len()).min(prompt.len());
    vec![turn(Speaker::Assistant, start..prompt.len(), message, 1)]
}

fn speaker_turns(setup: &Setup, turns: &[Turn]) -> Vec<PromptTurn> {
    let (_, header, pieces) = speaker_prompt(&setup.template, turns);
    let mut at = header.len();
    let mut found = Vec::new();
    for (index, (piece, turn)) in pieces.iter().zip(turns).enumerate() {
        let speaker = if turn.from.eq_ignore_ascii_case("gpt") { Speaker::Assistant } else { Speaker::User };
        found.push(located(speaker, at..at + piece.len(), piece, &turn.value, index));
        at += piece.len();
    }
    found
}

fn template_turns(setup: &Setup, turns: &[Turn], prompt: &str) -> Vec<PromptTurn> {
    let Ok(messages) = build_messages(turns) else { return Vec::new() };
    let dropped = turns.len().saturating_sub(messages.len());
    let mut start = match setup.template.prompt(&[]) {
        Ok(system) if prompt.starts_with(&system) => system.len(),
        _ => 0,
    };
    let mut found = Vec::new();
    for (index, (role, message)) in messages.iter().enumerate() {
        let Some(head) = messages.get(..=index) else { break };
        let Ok(prefix) = setup.template.prompt(head) else { break };
        let end = prefix.len();
        let Some(piece) = prompt.get(start..end).filter(|_| prompt.starts_with(&prefix)) else { break };
        let speaker = if *role == 0 { Speaker::User } else { Speaker::Assistant };
        found.push(located(speaker, start..end, piece, message, index + dropped));
        start = end;
    }
    found
}

/// A turn whose message is the last occurrence of its text in the piece (role marks stand before it).
fn located(speaker: Speaker, whole: Range<usize>, piece: &str, message: &str, turn: usize) -> PromptTurn {
    let at = if message.is_empty() { piece.len() } else { piece.rfind(message).unwrap_or(0) };
    let start = whole.start + at;
    let end = (start + message.len()).min(whole.end);
    self::turn(speaker, whole, start..end, turn)
}

/// A turn of a LLaVA template; its round is counted when all are found.
fn turn(speaker: Speaker, whole: Range<usize>, message: Range<usize>, turn: usize) -> PromptTurn {
    let section_start = if speaker == Speaker::Assistant { message.start } else { whole.start };
    PromptTurn { speaker, whole, message, turn, round: 0, calls: false, section_start }
}
