//! What a trainer makes of a row.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::masks::MaskError;
use crate::tokenizer::TokenId;

/// Which answer of a preference row a sequence ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSide {
    Chosen,
    Rejected,
}

impl AnswerSide {
    /// As data sets name the column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
        }
    }
}

/// One sequence as the model is fed it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingSequence {
    pub input_ids: Vec<TokenId>,
    /// For each token, whether it is a target of the loss. As long as the ids, except where a trainer's own mask is not
    /// (renderers' `DefaultRenderer`).
    pub targets: Vec<bool>,
    /// The weight of each target in the loss, 0 elsewhere; `None` where all weigh 1.
    pub weights: Option<Vec<f64>>,
    pub side: Option<AnswerSide>,
    /// Where the trainer sets them; `None` for 0, 1, 2, ….
    pub position_ids: Option<Vec<usize>>,
    /// Lengths of the documents in a packed sequence.
    pub seq_lens: Option<Vec<usize>>,
    /// The positions whose logits the loss reads, where that is the mask that the trainer keeps.
    pub predicting: Option<Vec<bool>>,
    /// Tokens of the prompt, where the trainer counts them.
    pub prompt_len: Option<usize>,
    /// The length to which the trainer pads the sequence.
    pub padded_to: Option<usize>,
}

impl TrainingSequence {
    /// A sequence whose targets are given token by token.
    pub fn new(input_ids: Vec<TokenId>, targets: Vec<bool>) -> Self {
        Self { input_ids, targets, ..Self::default() }
    }

    /// Adds tokens that all are targets, or none.
    pub fn push(&mut self, ids: impl IntoIterator<Item = TokenId>, target: bool) {
        self.input_ids.extend(ids);
        self.targets.resize(self.input_ids.len(), target);
    }

    /// Keeps the tokens of `range` alone, clamped to the sequence.
    pub fn cut(&mut self, range: Range<usize>) {
        fn keep<T>(items: &mut Vec<T>, range: &Range<usize>) {
            items.truncate(range.end);
            items.drain(..range.start.min(items.len()));
        }
        keep(&mut self.input_ids, &range);
        keep(&mut self.targets, &range);
        if let Some(weights) = &mut self.weights {
            keep(weights, &range);
        }
        if let Some(positions) = &mut self.position_ids {
            keep(positions, &range);
        }
    }

    /// Maximal runs of targets, as token positions.
    pub fn spans(&self) -> Vec<Range<usize>> {
        runs(&self.targets)
    }
}

/// Maximal runs of `true`.
pub fn runs(flags: &[bool]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for index in flags.iter().enumerate().filter(|(_, flag)| **flag).map(|(index, _)| index) {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// What became of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreparedRow {
    /// More than one for preference rows and where the trainer splits a long row; none where the row is dropped.
    pub sequences: Vec<TrainingSequence>,
    /// Why the trainer's filter removed the row.
    pub dropped: Option<String>,
    /// What the trainer does that its user would not expect.
    pub notes: Vec<String>,
}

impl PreparedRow {
    /// A row that becomes one sequence.
    pub fn one(sequence: TrainingSequence) -> Self {
        Self { sequences: vec![sequence], ..Self::default() }
    }

    /// A row that the trainer's filter removes.
    pub fn dropped(reason: impl Into<String>) -> Self {
        Self { dropped: Some(reason.into()), ..Self::default() }
    }
}

/// A trainer with its options and whatever it works out once per data set.
pub trait RowPreparer {
    /// The sequences of one row of the data set.
    ///
    /// # Errors
    /// What the trainer's code raises on the row.
    fn prepare(&self, row: &Map<String, Value>) -> Result<PreparedRow, MaskError>;
}
