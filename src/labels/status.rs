//! What training makes of a token and of a sample: the one verdict that every command, report and screen shows.
//!
//! ```text
//! labels before the length check ── check ──► labels ── collator, cut at kept_len ──► the loss
//!          │ Discarded where the check fails     │ Truncated behind the cut              │ Supervised
//! ```
//!
//! A sample is [`StatusKind::Sound`] where at least one token reaches the loss. Everything else is a finding: commands
//! that report findings by their exit status ask [`StatusCounts::all_sound`] and nothing else.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{IGNORE_INDEX, Inspection, Labelled};

/// What becomes of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLabel {
    /// The loss sees it.
    Supervised,
    /// The rule or strategy gives it −100.
    Masked,
    /// It had a label until the length check threw the sample's labels away.
    Discarded,
    /// It has a label, but lies where the collator cuts the sample off.
    Truncated,
}

impl TokenLabel {
    /// As JSON, style sheets and screens name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Masked => "masked",
            Self::Discarded => "discarded",
            Self::Truncated => "truncated",
        }
    }

    /// In a few words, with the reason.
    pub fn words(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Masked => "masked",
            Self::Discarded => "discarded by the length check",
            Self::Truncated => "truncated by the collator",
        }
    }
}

/// The four ways in which a sample can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// At least one token is supervised.
    Sound,
    /// No supervised tokens, and no warning.
    Silent,
    /// The length check threw all labels away.
    Mismatch,
    /// The training code raises.
    Raises,
}

impl StatusKind {
    /// All of them, from the best to the worst.
    pub const ALL: [StatusKind; 4] = [Self::Sound, Self::Silent, Self::Mismatch, Self::Raises];

    /// As JSON and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Silent => "silent",
            Self::Mismatch => "mismatch",
            Self::Raises => "raises",
        }
    }

    /// One character for it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Sound => "✓",
            Self::Silent => "∅",
            Self::Mismatch => "✗",
            Self::Raises => "!",
        }
    }
}

/// How a sample ends, with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleStatus {
    Sound {
        /// Tokens that the loss sees.
        supervised: usize,
        /// Tokens with a label that the collator cuts off.
        truncated: usize,
        /// Tokens of the sample before the cut.
        tokens: usize,
    },
    /// `truncated` is 0 where the rule or strategy gave no labels at all.
    Silent {
        truncated: usize,
        tokens: usize,
    },
    Mismatch {
        cur_len: i64,
        total_len: i64,
        tokens: usize,
    },
    /// The Python exception.
    Raises {
        kind: Cow<'static, str>,
        message: String,
    },
}

impl SampleStatus {
    /// Which of the four it is.
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Sound { .. } => StatusKind::Sound,
            Self::Silent { .. } => StatusKind::Silent,
            Self::Mismatch { .. } => StatusKind::Mismatch,
            Self::Raises { .. } => StatusKind::Raises,
        }
    }

    /// True when at least one token is supervised.
    pub fn is_sound(&self) -> bool {
        self.kind() == StatusKind::Sound
    }

    /// The numbers in a line, without the symbol.
    pub fn line(&self) -> String {
        match self {
            Self::Sound { supervised, truncated: 0, tokens } => {
                format!("{supervised} of {tokens} tokens supervised")
            }
            Self::Sound { supervised, truncated, tokens } => {
                format!("{supervised} of {tokens} tokens supervised, {truncated} more truncated")
            }
            Self::Silent { truncated: 0, tokens } => {
                format!("0 of {tokens} tokens supervised, and no warning")
            }
            Self::Silent { truncated, tokens } => {
                format!("0 of {tokens} tokens supervised, all {truncated} labels are truncated")
            }
            Self::Mismatch { cur_len, total_len, .. } => {
                format!("cur_len {cur_len} ≠ total_len {total_len}: all labels are −100")
            }
            Self::Raises { kind, message } if message.is_empty() => kind.to_string(),
            Self::Raises { kind, message } => format!("{kind}: {message}"),
        }
    }
}

impl Labelled {
    /// Labels of the tokens that the collator keeps.
    fn kept(&self) -> &[i64] {
        self.labels.get(..self.kept_len).unwrap_or(&self.labels)
    }

    /// Number of tokens that the loss sees.
    pub fn supervised(&self) -> usize {
        self.kept().iter().filter(|label| **label != IGNORE_INDEX).count()
    }

    /// Number of tokens with a label that the collator cuts off.
    pub fn truncated(&self) -> usize {
        self.labels.iter().skip(self.kept_len).filter(|label| **label != IGNORE_INDEX).count()
    }

    /// What becomes of token `index`; `None` behind the last.
    pub fn token_label(&self, index: usize) -> Option<TokenLabel> {
        let has = |labels: &[i64]| labels.get(index).is_some_and(|label| *label != IGNORE_INDEX);
        if index >= self.input_ids.len() {
            return None;
        }
        Some(match (has(&self.labels), has(&self.labels_before_check)) {
            (true, _) if index >= self.kept_len => TokenLabel::Truncated,
            (true, _) => TokenLabel::Supervised,
            (false, true) => TokenLabel::Discarded,
            (false, false) => TokenLabel::Masked,
        })
    }

    /// True where the loss sees token `index`.
    pub fn is_supervised(&self, index: usize) -> bool {
        self.token_label(index) == Some(TokenLabel::Supervised)
    }
}

impl Inspection {
    /// How the sample ends.
    pub fn status(&self) -> SampleStatus {
        match &self.result {
            Err(error) => SampleStatus::Raises { kind: error.kind.clone(), message: error.message.clone() },
            Ok(labelled) if labelled.mismatch => SampleStatus::Mismatch {
                cur_len: labelled.cur_len.unwrap_or_default(),
                total_len: labelled.total_len.unwrap_or_default(),
                tokens: labelled.input_ids.len(),
            },
            Ok(labelled) => {
                let (truncated, tokens) = (labelled.truncated(), labelled.input_ids.len());
                match labelled.supervised() {
                    0 => SampleStatus::Silent { truncated, tokens },
                    supervised => SampleStatus::Sound { supervised, truncated, tokens },
                }
            }
        }
    }

    /// The same sample where the collator keeps `kept_len` tokens.
    pub fn kept(mut self, kept_len: usize) -> Self {
        if let Ok(labelled) = &mut self.result {
            labelled.kept_len = kept_len;
        }
        self
    }
}

/// Samples by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StatusCounts {
    pub sound: usize,
    pub silent: usize,
    pub mismatch: usize,
    pub raises: usize,
}

impl StatusCounts {
    /// The count of these samples.
    pub fn of<'a>(inspections: impl IntoIterator<Item = &'a Inspection>) -> Self {
        inspections.into_iter().map(|inspection| inspection.status().kind()).collect()
    }

    /// Counts one more.
    pub fn add(&mut self, kind: StatusKind) {
        *self.count_mut(kind) += 1;
    }

    fn count_mut(&mut self, kind: StatusKind) -> &mut usize {
        match kind {
            StatusKind::Sound => &mut self.sound,
            StatusKind::Silent => &mut self.silent,
            StatusKind::Mismatch => &mut self.mismatch,
            StatusKind::Raises => &mut self.raises,
        }
    }

    /// Samples that end so.
    pub fn count(&self, kind: StatusKind) -> usize {
        let mut counts = *self;
        *counts.count_mut(kind)
    }

    /// All of them.
    pub fn total(&self) -> usize {
        StatusKind::ALL.iter().map(|kind| self.count(*kind)).sum()
    }

    /// True where nothing was found: every sample is sound.
    pub fn all_sound(&self) -> bool {
        self.sound == self.total()
    }

    /// `✓ 40 ✗ 2`: sound and mismatched samples, and the others where there are some.
    pub fn line(&self) -> String {
        let shown = |kind: &StatusKind| {
            matches!(kind, StatusKind::Sound | StatusKind::Mismatch) || self.count(*kind) > 0
        };
        let text = |kind: StatusKind| format!("{} {}", kind.symbol(), self.count(kind));
        let order = [StatusKind::Sound, StatusKind::Mismatch, StatusKind::Raises, StatusKind::Silent];
        order.into_iter().filter(shown).map(text).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<StatusKind> for StatusCounts {
    fn from_iter<I: IntoIterator<Item = StatusKind>>(kinds: I) -> Self {
        let mut counts = Self::default();
        kinds.into_iter().for_each(|kind| counts.add(kind));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_name_what_there_is() {
        let counts: StatusCounts =
            [StatusKind::Sound, StatusKind::Raises, StatusKind::Sound].into_iter().collect();
        assert_eq!((counts.line().as_str(), counts.total(), counts.all_sound()), ("✓ 2 ✗ 0 ! 1", 3, false));
        assert!(StatusCounts::default().all_sound());
    }
}
