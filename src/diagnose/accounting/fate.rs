//! What became of a part of a record, and what kind of part it is.

use std::ops::Range;

/// What a part is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// Text of a message.
    Content,
    /// Reasoning, in a field of its own or between tags in the content.
    Thought,
    /// A call of a tool.
    Call,
    /// A tool that may be called.
    Tool,
    /// A document that the template should quote.
    Document,
    /// Another key whose name says that the model should see it.
    Saying,
    /// A key that no trainer gives a meaning, or a name.
    Other,
}

/// What became of a part in the rendered prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Bytes of the prompt that hold it: its first piece to its last.
    Found(Range<usize>),
    Lost,
    /// This much of it is missing.
    Partly(String),
    /// The template prints the list, the dict or the null itself.
    AsPython(String),
    /// A string of JSON went through `tojson`.
    EscapedTwice,
}

impl Fate {
    /// True where the text says what the record does.
    pub fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }
}
