//! A straight line `Δ = intercept + slope · rounds`: the form that every fault of the arithmetic gives the difference.

use serde::{Deserialize, Serialize};

/// The line, in whole tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinearFit {
    pub intercept: i64,
    /// Tokens a round.
    pub slope: i64,
}

impl LinearFit {
    /// The line through two points (rounds, Δ); `None` where they have as many rounds or its slope is no whole number.
    pub fn through((rounds, delta): (i64, i64), (other_rounds, other_delta): (i64, i64)) -> Option<Self> {
        let (run, rise) = (other_rounds - rounds, other_delta - delta);
        if run == 0 || rise % run != 0 {
            return None;
        }
        let slope = rise / run;
        Some(Self { intercept: delta - slope * rounds, slope })
    }

    /// The same difference at every number of rounds.
    pub fn flat(delta: i64) -> Self {
        Self { intercept: delta, slope: 0 }
    }

    /// The difference at a number of rounds.
    pub fn at(self, rounds: i64) -> i64 {
        self.intercept + self.slope * rounds
    }

    /// `Δ = 1 - n`.
    pub fn formula(self) -> String {
        let times = match self.slope {
            0 if self.intercept == 0 => return "Δ = 0 at every number of rounds".to_string(),
            0 => return format!("Δ = {:+} at every number of rounds", self.intercept),
            1 | -1 => "n".to_string(),
            slope => format!("{}n", slope.abs()),
        };
        let sign = if self.slope < 0 { "-" } else { "+" };
        match (self.intercept, self.slope < 0) {
            (0, true) => format!("Δ = -{times}"),
            (0, false) => format!("Δ = {times}"),
            (intercept, _) => format!("Δ = {intercept} {sign} {times}"),
        }
    }
}
