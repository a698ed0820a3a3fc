//! The turns of a prompt as the screens show them: with rounds, and a section for each.

use std::ops::Range;

use crate::chat::{Sample, TurnLayout};
use crate::labels::Inspection;

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

/// The turns of an inspected sample. Under a chat template a round begins with each question, under one of LLaVA's it
/// ends with each answer.
pub fn prompt_turns(sample: &Sample, inspection: &Inspection, is_chat: bool) -> Vec<PromptTurn> {
    let conversation = is_chat.then(|| sample.conversation()).flatten();
    let messages = conversation.as_ref().map_or(&[][..], |conversation| &conversation.messages);
    // A system text of the row itself stands before the turns.
    let before = messages.len().saturating_sub(sample.conversations.len());
    let (mut asked, mut answered) = (0_usize, 0_usize);
    let turn = |turn: &TurnLayout| {
        let answers = turn.speaker == Speaker::Assistant;
        asked += usize::from(turn.speaker == Speaker::User);
        let calls = messages.get(turn.index).and_then(|message| message.get("tool_calls")?.as_array());
        let found = PromptTurn {
            speaker: turn.speaker,
            whole: turn.whole.clone(),
            message: turn.content.clone(),
            turn: if is_chat { turn.index.saturating_sub(before) } else { turn.index },
            round: if is_chat { asked.saturating_sub(1) } else { answered },
            calls: calls.is_some_and(|calls| !calls.is_empty()),
            section_start: if answers && !is_chat { turn.content.start } else { turn.whole.start },
        };
        answered += usize::from(answers);
        found
    };
    inspection.layout.turns.iter().map(turn).collect()
}
