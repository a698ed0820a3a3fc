//! The state of every sample in a word and two numbers, and how many are in which.

use std::borrow::Cow;

use crate::chat::Sample;
use crate::labels::{IGNORE_INDEX, Inspection};
use crate::setup::Setup;

/// A preview looks at this many samples at most: it runs at every movement of a list's cursor.
pub const PREVIEW_LIMIT: usize = 200;

/// What training would make of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleState {
    /// It has labels, and no warning is printed.
    Sound {
        /// Tokens that the loss sees; none where the collator cuts all of them away.
        learns: usize,
        /// Tokens with a label that the collator cuts away.
        cut: usize,
        tokens: usize,
    },
    /// No warning, and nothing supervised.
    Silent {
        tokens: usize,
    },
    Mismatch {
        cur_len: i64,
        total_len: i64,
    },
    /// The exception of the training code.
    Raises {
        kind: Cow<'static, str>,
        message: String,
    },
}

impl SampleState {
    /// The state that an inspection ended in.
    pub fn of(setup: &Setup, inspection: &Inspection) -> Self {
        match &inspection.result {
            Err(error) => Self::Raises { kind: error.kind.clone(), message: error.message.clone() },
            Ok(l) if l.mismatch => Self::Mismatch {
                cur_len: l.cur_len.unwrap_or_default(),
                total_len: l.total_len.unwrap_or_default(),
            },
            Ok(l) => {
                let tokens = l.input_ids.len();
                let (kept, cut) = l.labels.split_at(setup.kept_len().min(l.labels.len()));
                let count = |labels: &[i64]| labels.iter().filter(|label| **label != IGNORE_INDEX).count();
                match (count(kept), count(cut)) {
                    (0, 0) => Self::Silent { tokens },
                    (learns, cut) => Self::Sound { learns, cut, tokens },
                }
            }
        }
    }

    /// True when the sample trains on something.
    pub fn is_sound(&self) -> bool {
        matches!(self, Self::Sound { .. })
    }

    /// The state in a line.
    pub fn line(&self) -> String {
        match self {
            Self::Sound { learns, cut: 0, tokens } => format!("learns {learns} of {tokens} tokens"),
            Self::Sound { learns: 0, tokens, .. } => {
                format!("learns nothing of {tokens} tokens: all is cut away")
            }
            Self::Sound { learns, cut, tokens } => {
                format!("learns {learns} of {tokens} tokens, {cut} more are cut away")
            }
            Self::Silent { tokens } => format!("learns nothing of {tokens} tokens, no warning"),
            Self::Mismatch { cur_len, total_len } => format!("cur {cur_len} ≠ total {total_len}"),
            Self::Raises { kind, message } if message.is_empty() => kind.to_string(),
            Self::Raises { kind, message } => format!("{kind}: {message}"),
        }
    }
}

/// Samples by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub sound: usize,
    pub mismatch: usize,
    pub raises: usize,
    pub silent: usize,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, state: &SampleState) {
        match state {
            SampleState::Sound { .. } => self.sound += 1,
            SampleState::Silent { .. } => self.silent += 1,
            SampleState::Mismatch { .. } => self.mismatch += 1,
            SampleState::Raises { .. } => self.raises += 1,
        }
    }

    /// The count of these states.
    pub fn of<'a>(states: impl IntoIterator<Item = &'a SampleState>) -> Self {
        let mut tally = Self::default();
        states.into_iter().for_each(|state| tally.add(state));
        tally
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.sound + self.mismatch + self.raises + self.silent
    }

    /// `✓ 40 ✗ 2`, and the rarer states where there are some.
    pub fn line(&self) -> String {
        let mut line = format!("✓ {} ✗ {}", self.sound, self.mismatch);
        if self.raises > 0 {
            line += &format!(" ! {}", self.raises);
        }
        if self.silent > 0 {
            line += &format!(" ∅ {}", self.silent);
        }
        line
    }
}

/// The count over samples under a set-up.
pub fn tally(setup: &Setup, samples: &[Sample]) -> Tally {
    let states: Vec<SampleState> =
        samples.iter().map(|s| SampleState::of(setup, &setup.inspect(s))).collect();
    Tally::of(&states)
}
