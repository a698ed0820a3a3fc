//! Faults of the data itself, read off the turns: no tokenizer and no rule is at fault for these.

use crate::chat::{Sample, SeparatorStyle, Template, build_messages};

/// What is wrong with one conversation under a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentFaults {
    /// A turn without any text.
    pub empty_turn: bool,
    /// The text that closes a round stands inside a turn.
    pub literal_closing: bool,
    /// The text that opens an answer stands inside a turn.
    pub literal_mark: bool,
    /// The last turn is the human's.
    pub ends_on_user: bool,
    /// The training code raises on its turns.
    pub refused: bool,
    /// `<image>` in the turns.
    pub placeholders: usize,
    /// `<video>` in the turns.
    pub videos: usize,
}

/// The text that closes a round of a template.
pub fn closing(template: &Template) -> &str {
    match template.style {
        SeparatorStyle::Two | SeparatorStyle::Llama2 => template.sep2.as_deref().unwrap_or(""),
        _ => &template.sep,
    }
}

/// The text that opens an answer: a round must hold it exactly once.
pub fn answer_mark(template: &Template) -> String {
    let name = template.roles.get(1).map_or("", String::as_str);
    match template.style {
        SeparatorStyle::Llama2 => "[/INST] ".to_string(),
        SeparatorStyle::Mpt => format!("{}{name}", template.sep),
        _ => format!("{}{name}: ", template.sep),
    }
}

impl ContentFaults {
    /// Looks through the turns of a sample.
    pub fn of(sample: &Sample, template: &Template) -> Self {
        let (closing, mark) = (closing(template), answer_mark(template));
        let turns = &sample.conversations;
        let count = |text: &str| turns.iter().map(|t| t.value.matches(text).count()).sum();
        Self {
            empty_turn: turns.iter().any(|t| t.value.is_empty()),
            literal_closing: !closing.is_empty() && turns.iter().any(|t| t.value.contains(closing)),
            literal_mark: turns.iter().any(|t| t.value.contains(&mark)),
            ends_on_user: turns.last().is_some_and(|t| t.from == "human"),
            refused: build_messages(turns).is_err()
                || turns.iter().any(|t| t.value.matches("<video>").count() > 1),
            placeholders: count("<image>"),
            videos: count("<video>"),
        }
    }

    /// True when the turns hold nothing that a counting rule stumbles over.
    pub fn is_plain(&self) -> bool {
        !(self.refused || self.empty_turn || self.literal_closing || self.literal_mark || self.ends_on_user)
    }
}
