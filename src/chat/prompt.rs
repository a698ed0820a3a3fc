//! A rendered prompt with the place of every turn, as the renderer noted it while it wrote.
//!
//! ```text
//! A chat … answers. USER: What is it? ASSISTANT: A cat.</s>
//!                   └hdr┘ └ content ┘↑└ header ┘ └─────┘└──┘ separator of the answer
//!                   └ whole ─────────┘ separator of the question
//! ```

use std::ops::Range;

/// Who speaks in a stretch of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    System,
    User,
    Assistant,
    /// A tool result, and every role that is none of the others.
    Tool,
}

impl Speaker {
    /// The speaker that a message's role stands for.
    pub fn of_role(role: &str) -> Self {
        match role {
            "user" | "human" => Self::User,
            "assistant" | "gpt" | "model" => Self::Assistant,
            "system" | "developer" => Self::System,
            _ => Self::Tool,
        }
    }
}

/// One turn in a prompt; all ranges are bytes of the prompt's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnLayout {
    /// Index among the sample's turns (LLaVA templates) or the conversation's messages (chat templates).
    pub index: usize,
    pub speaker: Speaker,
    /// From the header to the end of the separator.
    pub whole: Range<usize>,
    /// The role mark. Generation begins at its end; a space may follow before the content.
    pub header: Range<usize>,
    /// The turn's own text; empty where it has none.
    pub content: Range<usize>,
    /// What closes the turn.
    pub separator: Range<usize>,
}

/// Where the turns of a prompt lie, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptLayout {
    pub turns: Vec<TurnLayout>,
}

/// What a renderer writes around a turn's content.
#[derive(Debug, Clone, Default)]
pub(super) struct TurnFrame {
    pub header: String,
    /// Between header and content: generation writes it, it is no part of the content.
    pub gap: &'static str,
    pub separator: String,
}

/// A rendered prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    pub text: String,
    pub layout: PromptLayout,
}

impl Prompt {
    /// Writes a turn at the end and notes where.
    pub(super) fn push_turn(&mut self, index: usize, speaker: Speaker, frame: &TurnFrame, content: &str) {
        let mut write = |text: &str| {
            let start = self.text.len();
            self.text.push_str(text);
            start..self.text.len()
        };
        let header = write(&frame.header);
        write(frame.gap);
        let content = write(content);
        let separator = write(&frame.separator);
        let whole = header.start..separator.end;
        self.layout.turns.push(TurnLayout { index, speaker, whole, header, content, separator });
    }

    /// Removes the first `count` bytes of the text.
    pub(super) fn strip_front(&mut self, count: usize) {
        self.text.drain(..count);
        for turn in &mut self.layout.turns {
            for range in [&mut turn.whole, &mut turn.header, &mut turn.content, &mut turn.separator] {
                *range = range.start.saturating_sub(count)..range.end.saturating_sub(count);
            }
        }
    }
}
