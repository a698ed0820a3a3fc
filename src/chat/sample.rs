//! One conversation of a data set, in LLaVA's layout.

/// One turn: who speaks (`human` or `gpt` in good data) and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub from: String,
    pub value: String,
}

impl Turn {
    /// A turn.
    pub fn new(from: impl Into<String>, value: impl Into<String>) -> Self {
        Self { from: from.into(), value: value.into() }
    }
}

/// A conversation, with what the training code asks of the record around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The record's `id`, or its index.
    pub id: String,
    pub conversations: Vec<Turn>,
    /// The record has a key `image` or `video` (whatever its value): it takes the multimodal path.
    pub has_image: bool,
    /// How many image files and videos the record names, where it says so.
    pub media: usize,
}

impl Sample {
    /// A text sample.
    pub fn text(id: impl Into<String>, conversations: Vec<Turn>) -> Self {
        Self { id: id.into(), conversations, has_image: false, media: 0 }
    }
}
