//! The difference of the lengths as the data shows it: the [`LinearFit`] that most samples lie on, and how many do.
//!
//! Two ways choose the line. The doctor sees few samples and holds on to the one fault that the smallest number of rounds
//! shows ([`DataDeltaFit::from_first`]); a scan sees all kinds of samples, and any line may be theirs ([`DataDeltaFit::of_most`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::linear_fit::LinearFit;

/// Numbers of rounds whose commonest differences [`DataDeltaFit::of_most`] draws lines through.
const MOST_POINTS: usize = 24;

/// Samples by their number of rounds and by their difference Δ.
pub type Differences = BTreeMap<u64, BTreeMap<i64, u64>>;

/// The line, and how many samples are on it. In JSON with the line's `formula`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct DataDeltaFit {
    /// Flat where all samples have the same number of rounds: a slope cannot be told then.
    #[serde(flatten)]
    pub line: LinearFit,
    /// Samples whose difference is the line's, of those that have one.
    pub on_line: u64,
    pub samples: u64,
}

impl Serialize for DataDeltaFit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("DataDeltaFit", 5)?;
        fields.serialize_field("formula", &self.line.formula())?;
        fields.serialize_field("intercept", &self.line.intercept)?;
        fields.serialize_field("slope", &self.line.slope)?;
        fields.serialize_field("on_line", &self.on_line)?;
        fields.serialize_field("samples", &self.samples)?;
        fields.end()
    }
}

impl DataDeltaFit {
    /// The line with the most samples of all lines through two commonest differences, and of all flat ones through one;
    /// of several the flattest, then the one nearest to zero. `None` without samples.
    pub fn of_most(differences: &Differences) -> Option<Self> {
        let commonest = |deltas: &BTreeMap<i64, u64>| {
            deltas.iter().max_by_key(|(delta, n)| (**n, Reverse(delta.abs()))).map(|(d, n)| (*d, *n))
        };
        let mut points: Vec<(i64, i64, u64)> = differences
            .iter()
            .filter_map(|(rounds, deltas)| {
                let (delta, n) = commonest(deltas)?;
                Some((i64::try_from(*rounds).ok()?, delta, n))
            })
            .collect();
        points.sort_by_key(|(rounds, _, n)| (Reverse(*n), *rounds));
        points.truncate(MOST_POINTS);
        let mut lines: BTreeSet<LinearFit> =
            points.iter().map(|(_, delta, _)| LinearFit::flat(*delta)).collect();
        for (index, (rounds, delta, _)) in points.iter().enumerate() {
            let others = points.iter().skip(index + 1);
            lines.extend(others.filter_map(|(n, d, _)| LinearFit::through((*rounds, *delta), (*n, *d))));
        }
        let best = lines.into_iter().max_by_key(|line| {
            let LinearFit { intercept, slope } = *line;
            (on_line(*line, differences), Reverse((slope.abs(), intercept.abs(), intercept)))
        })?;
        Some(Self::new(best, differences))
    }

    /// The line with the most samples of those through the commonest difference at the smallest number of rounds; `None`
    /// where all samples have as many rounds, which hides the slope.
    pub fn from_first(differences: &Differences) -> Option<Self> {
        let mut points = differences.iter().filter_map(|(rounds, deltas)| {
            let (commonest, _) = deltas.iter().max_by_key(|(_, n)| **n)?;
            Some((i64::try_from(*rounds).ok()?, *commonest))
        });
        let first = points.next()?;
        let lines = points.filter_map(|point| LinearFit::through(first, point));
        Some(Self::new(lines.max_by_key(|line| on_line(*line, differences))?, differences))
    }

    fn new(line: LinearFit, differences: &Differences) -> Self {
        let samples = differences.values().flat_map(BTreeMap::values).sum();
        Self { line, on_line: on_line(line, differences), samples }
    }

    /// `Δ = 1 - n for 36 of 39`.
    pub fn formula(&self) -> String {
        format!("{} for {} of {}", self.line.formula(), self.on_line, self.samples)
    }
}

/// Samples whose difference is that of the line.
fn on_line(line: LinearFit, differences: &Differences) -> u64 {
    let at = |(rounds, deltas): (&u64, &BTreeMap<i64, u64>)| {
        deltas.get(&line.at(i64::try_from(*rounds).ok()?)).copied()
    };
    differences.iter().filter_map(at).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(points: &[(u64, i64, u64)]) -> Differences {
        let mut counts = Differences::new();
        for (rounds, delta, n) in points {
            *counts.entry(*rounds).or_default().entry(*delta).or_default() += n;
        }
        counts
    }

    #[test]
    fn the_line_that_most_samples_lie_on_is_found_through_noise() {
        let fit = |points| DataDeltaFit::of_most(&differences(points));
        let delta_fit =
            fit(&[(1, 0, 90), (2, -1, 50), (3, -2, 7), (3, 9, 8), (4, -3, 2), (1, 5, 3)]).expect("a fit");
        assert_eq!(delta_fit.formula(), "Δ = 1 - n for 149 of 160");
        let sound = fit(&[(1, 0, 10), (2, 0, 10), (5, -1, 1)]).expect("a fit");
        assert_eq!(sound, DataDeltaFit { line: LinearFit::flat(0), on_line: 20, samples: 21 });
        assert_eq!(fit(&[]), None);
    }

    #[test]
    fn the_line_from_the_smallest_number_of_rounds_is_that_of_most_samples() {
        let fit = |points| DataDeltaFit::from_first(&differences(points));
        let delta_fit =
            fit(&[(1, 0, 2), (3, -2, 1), (8, -7, 1), (3, -5, 1)]).expect("three numbers of rounds");
        assert_eq!(delta_fit.formula(), "Δ = 1 - n for 4 of 5");
        assert_eq!(fit(&[(1, 0, 2)]), None, "one round hides the fit");
        assert_eq!(fit(&[]), None);
    }

    #[test]
    fn where_the_smallest_number_of_rounds_is_off_the_line_the_two_ways_differ() {
        let noisy = differences(&[(1, 5, 2), (2, 0, 9), (3, 0, 9)]);
        assert_eq!(
            DataDeltaFit::of_most(&noisy).expect("a fit").line.formula(),
            "Δ = 0 at every number of rounds"
        );
        assert_eq!(DataDeltaFit::from_first(&noisy).expect("a fit").line.formula(), "Δ = 10 - 5n");
    }
}
