//! What a change did to the samples that it was tried on.

use serde::Serialize;

/// What a change did to the samples that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangeEffect {
    /// Samples labelled both before and after.
    pub tried: usize,
    /// Not sound or wrongly masked before, right after.
    pub repaired: usize,
    /// The other way round.
    pub broken: usize,
    /// Samples that the change takes out of the data.
    pub dropped: usize,
    /// Still not sound or wrongly masked.
    pub remaining: usize,
    pub supervised_before: usize,
    pub supervised_after: usize,
}

impl ChangeEffect {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            tried: self.tried + other.tried,
            repaired: self.repaired + other.repaired,
            broken: self.broken + other.broken,
            dropped: self.dropped + other.dropped,
            remaining: self.remaining + other.remaining,
            supervised_before: self.supervised_before + other.supervised_before,
            supervised_after: self.supervised_after + other.supervised_after,
        }
    }
}
