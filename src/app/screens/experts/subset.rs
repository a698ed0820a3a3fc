//! Which positions a figure counts: all of them, or those of one subset.

use super::position::PositionInfo;
use crate::app::turns::Speaker;

/// A subset of positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subset {
    #[default]
    All,
    /// Tokens that the loss sees.
    Supervised,
    /// Tokens that it would see had the lengths agreed.
    Lost,
    /// Tokens that the loss ignores.
    Masked,
    Speaker(Speaker),
    Text,
    Image,
    /// Counted from 0.
    Round(usize),
}

impl Subset {
    /// Every subset that could be in a sample of so many rounds, in the order of the key.
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

    /// The subsets that are not empty, with their sizes. All positions come first; another subset that holds every
    /// position is left out, except for the split by the loss.
    pub fn of(positions: &[PositionInfo]) -> Vec<(Self, usize)> {
        let rounds = positions.iter().filter_map(|p| p.round).max().map_or(0, |r| r + 1);
        let count = |subset: Self| positions.iter().filter(|position| subset.holds(position)).count();
        let counted = Self::candidates(rounds).into_iter().map(|s| (s, count(s)));
        counted
            .filter(|(s, n)| *s == Self::All || (*n > 0 && (*n < positions.len() || *s == Self::Masked)))
            .collect()
    }

    /// Whether a position is in this subset.
    pub fn holds(self, position: &PositionInfo) -> bool {
        match self {
            Self::All => true,
            Self::Supervised => position.supervised,
            Self::Lost => position.lost,
            Self::Masked => !position.supervised && !position.lost,
            Self::Speaker(speaker) => position.speaker == Some(speaker),
            Self::Text => position.patch.is_none(),
            Self::Image => position.patch.is_some(),
            Self::Round(round) => position.round == Some(round),
        }
    }

    /// As the screen names it.
    pub fn name(self) -> String {
        match self {
            Self::All => "all".to_string(),
            Self::Supervised => "supervised".to_string(),
            Self::Lost => "discarded".to_string(),
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
    fn only_subsets_with_positions_are_offered() {
        let position = |supervised, round| PositionInfo {
            supervised,
            lost: false,
            speaker: Some(if supervised { Speaker::Assistant } else { Speaker::User }),
            round: Some(round),
            patch: None,
        };
        let positions = [position(false, 0), position(true, 0), position(true, 1)];
        let names: Vec<(String, usize)> =
            Subset::of(&positions).into_iter().map(|(s, n)| (s.name(), n)).collect();
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
