//! The law of the difference as the data shows it: the straight line `Δ = intercept + slope · rounds` that most samples
//! lie on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::diagnose::Law;

/// Numbers of rounds whose commonest differences a line is drawn through.
const MOST_POINTS: usize = 24;

/// The line, and how many samples are on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaLaw {
    /// `Δ = 1 - n`.
    pub formula: String,
    pub intercept: i64,
    /// 0 where all samples have the same number of rounds: a slope cannot be told then.
    pub slope: i64,
    /// Samples whose difference is the line's, of all that have one.
    pub samples: u64,
    pub of: u64,
}

impl DeltaLaw {
    /// The line with the most samples; of several the flattest, then the one nearest to zero.
    pub fn fit(delta_by_rounds: &BTreeMap<u64, BTreeMap<i64, u64>>) -> Option<Self> {
        let commonest = |deltas: &BTreeMap<i64, u64>| {
            let best = deltas.iter().max_by_key(|(delta, n)| (**n, std::cmp::Reverse(delta.abs())))?;
            Some((*best.0, *best.1))
        };
        let mut points: Vec<(i64, i64, u64)> = delta_by_rounds
            .iter()
            .filter_map(|(rounds, deltas)| {
                let (delta, n) = commonest(deltas)?;
                Some((i64::try_from(*rounds).ok()?, delta, n))
            })
            .collect();
        points.sort_by_key(|(rounds, _, n)| (std::cmp::Reverse(*n), *rounds));
        points.truncate(MOST_POINTS);
        let mut lines: BTreeSet<(i64, i64)> = points.iter().map(|(_, delta, _)| (0, *delta)).collect();
        for (n, (x, y, _)) in points.iter().enumerate() {
            for (other_x, other_y, _) in points.iter().skip(n + 1) {
                let (dx, dy) = (other_x - x, other_y - y);
                if dx != 0 && dy % dx == 0 {
                    lines.insert((dy / dx, y - dy / dx * x));
                }
            }
        }
        let of = delta_by_rounds.values().flat_map(BTreeMap::values).sum();
        let on = |(slope, intercept): (i64, i64)| -> u64 {
            let on = |(rounds, deltas): (&u64, &BTreeMap<i64, u64>)| {
                let rounds = i64::try_from(*rounds).ok()?;
                deltas.get(&(intercept + slope * rounds)).copied()
            };
            delta_by_rounds.iter().filter_map(on).sum()
        };
        let (slope, intercept) = lines.into_iter().max_by_key(|(slope, intercept)| {
            (on((*slope, *intercept)), std::cmp::Reverse((slope.abs(), intercept.abs(), *intercept)))
        })?;
        let formula = Law { intercept, slope, deltas: Vec::new(), exact: true }.formula();
        Some(Self { formula, intercept, slope, samples: on((slope, intercept)), of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(points: &[(u64, i64, u64)]) -> Option<DeltaLaw> {
        let mut counts: BTreeMap<u64, BTreeMap<i64, u64>> = BTreeMap::new();
        for (rounds, delta, n) in points {
            *counts.entry(*rounds).or_default().entry(*delta).or_default() += n;
        }
        DeltaLaw::fit(&counts)
    }

    #[test]
    fn the_line_that_most_samples_lie_on_is_found_through_noise() {
        let law =
            fit(&[(1, 0, 90), (2, -1, 50), (3, -2, 7), (3, 9, 8), (4, -3, 2), (1, 5, 3)]).expect("a law");
        assert_eq!((law.formula.as_str(), law.samples, law.of), ("Δ = 1 - n", 149, 160));
        let sound = fit(&[(1, 0, 10), (2, 0, 10), (5, -1, 1)]).expect("a law");
        assert_eq!((sound.intercept, sound.slope, sound.samples, sound.of), (0, 0, 20, 21));
        assert_eq!(fit(&[]), None);
    }
}
