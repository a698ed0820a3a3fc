//! Which rows a figure counts: all of them, or those of one kind.

use super::position::ForwardRow;
use crate::app::turns::Speaker;

/// A kind of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subset {
    #[default]
    All,
    /// Rows of tokens that the loss sees.
    Supervised,
    /// Rows of tokens that it would see had the lengths agreed.
    Lost,
    /// Rows of tokens that the loss ignores.
    Masked,
    Speaker(Speaker),
    Text,
    Image,
    /// Counted from 0.
    Round(usize),
}

impl Subset {
    /// Every kind that could be in a sample of so many rounds, in the order of the key.
    fn candidates(rounds: usize) -> Vec<Self> {
        use Speaker::{Assistant, System, User};
        let kinds = [
            Self::All,
            Self::Supervised,
            Self::Lost,
            Self::Masked,
            Self::Speaker(System),
            Self::Speaker(User),
            Self::Speaker(Assistant),
            Self::Text,
            Self::Image,
        ];
        kinds.into_iter().chain((0..rounds).map(Self::Round)).collect()
    }

    /// The kinds that have rows, with their number. All rows come first; a kind that holds every row besides is left
    /// out, except for the split by the loss.
    pub fn of(rows: &[ForwardRow]) -> Vec<(Self, usize)> {
        let rounds = rows.iter().filter_map(|r| r.round).max().map_or(0, |r| r + 1);
        let count = |subset: Self| rows.iter().filter(|row| subset.holds(row)).count();
        let counted = Self::candidates(rounds).into_iter().map(|s| (s, count(s)));
        counted
            .filter(|(s, n)| *s == Self::All || (*n > 0 && (*n < rows.len() || *s == Self::Masked)))
            .collect()
    }

    /// Whether a row is of this kind.
    pub fn holds(self, row: &ForwardRow) -> bool {
        match self {
            Self::All => true,
            Self::Supervised => row.supervised,
            Self::Lost => row.lost,
            Self::Masked => !row.supervised && !row.lost,
            Self::Speaker(speaker) => row.speaker == Some(speaker),
            Self::Text => row.patch.is_none(),
            Self::Image => row.patch.is_some(),
            Self::Round(round) => row.round == Some(round),
        }
    }

    /// As the screen names it.
    pub fn name(self) -> String {
        match self {
            Self::All => "all".to_string(),
            Self::Supervised => "supervised".to_string(),
            Self::Lost => "lost".to_string(),
            Self::Masked => "masked".to_string(),
            Self::Speaker(speaker) => speaker.name().to_string(),
            Self::Text => "text".to_string(),
            Self::Image => "image".to_string(),
            Self::Round(round) => format!("round {}", round + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kinds_with_rows_are_offered() {
        let row = |supervised, round| ForwardRow {
            token: Some(0),
            supervised,
            lost: false,
            speaker: Some(if supervised { Speaker::Assistant } else { Speaker::User }),
            round: Some(round),
            patch: None,
        };
        let rows = [row(false, 0), row(true, 0), row(true, 1)];
        let names: Vec<(String, usize)> = Subset::of(&rows).into_iter().map(|(s, n)| (s.name(), n)).collect();
        let expected = [
            ("all", 3),
            ("supervised", 2),
            ("masked", 1),
            ("USER", 1),
            ("ANSWER", 2),
            ("round 1", 2),
            ("round 2", 1),
        ];
        assert_eq!(names, expected.map(|(n, c)| (n.to_string(), c)));
        assert_eq!(Subset::of(&[]), [(Subset::All, 0)]);
    }
}
