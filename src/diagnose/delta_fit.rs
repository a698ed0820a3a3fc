//! The difference of the lengths, measured: `Δ = intercept + slope · rounds` over conversations made on the spot.
//!
//! Data of one round hides most faults, as intercept and slope cancel there. So the line is fitted on plain
//! conversations of 1 to 5 rounds, with and without an image, whatever the user's data looks like.

use serde::Serialize;

use super::arithmetic::Arithmetic;
use super::data_delta_fit::DataDeltaFit;
use super::linear_fit::LinearFit;
use crate::chat::{Sample, Turn};
use crate::labels::PythonError;
use crate::setup::LlavaSetup;

/// Rounds of the longest conversation made on the spot.
pub const MAX_ROUNDS: usize = 5;

/// Plain turns: letters, digits, punctuation and a line break, none of them a separator.
const TURNS: [(&str, &str); MAX_ROUNDS] = [
    ("What is in the picture?", "Two cats on a red sofa."),
    ("How many windows are there?", "3"),
    ("Name the city.", "Paris, I think.\nIt may also be Lyon."),
    ("Thanks!", "You are welcome"),
    ("Is it raining (today)?", "No; the street is dry."),
];

/// The line through (rounds, difference) as measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeltaFit {
    #[serde(flatten)]
    pub line: LinearFit,
    /// The difference at 1, 2, … rounds.
    pub deltas: Vec<i64>,
    /// False where the differences do not lie on the line.
    pub exact: bool,
}

/// DeltaFits of a set-up for text samples and for samples with an image; `None` where the rule does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeltaFits {
    pub text: Option<DeltaFit>,
    pub image: Option<DeltaFit>,
    /// Over the user's samples; `None` where they do not differ in their number of rounds, which hides the slope.
    pub data: Option<DataDeltaFit>,
}

/// A plain conversation of that many rounds (at most [`MAX_ROUNDS`]).
pub fn conversation(rounds: usize, image: bool) -> Sample {
    let mut turns = Vec::new();
    for (index, (question, answer)) in TURNS.iter().take(rounds).enumerate() {
        let place = if image && index == 0 { "<image>\n" } else { "" };
        turns.push(Turn::new("human", format!("{place}{question}")));
        turns.push(Turn::new("gpt", *answer));
    }
    let kind = if image { "image" } else { "text" };
    let sample = Sample::text(format!("{kind}-{rounds}-rounds"), turns);
    Sample { has_image: image, media: usize::from(image), ..sample }
}

/// All plain conversations: 1 to [`MAX_ROUNDS`] rounds, text first.
pub fn conversations() -> Vec<Sample> {
    [false, true].iter().flat_map(|image| (1..=MAX_ROUNDS).map(|n| conversation(n, *image))).collect()
}

impl DeltaFit {
    /// The line through the first two points; `exact` says whether the others lie on it.
    pub fn fit(deltas: Vec<i64>) -> Option<Self> {
        let line = LinearFit::through((1, *deltas.first()?), (2, *deltas.get(1)?))?;
        let exact = (1..).zip(&deltas).all(|(rounds, delta)| *delta == line.at(rounds));
        Some(Self { line, deltas, exact })
    }

    /// Measures a set-up on conversations with or without an image.
    ///
    /// # Errors
    /// What the training code raises on them.
    pub fn measure(setup: &LlavaSetup, image: bool) -> Result<Option<Self>, PythonError> {
        let mut deltas = Vec::new();
        for rounds in 1..=MAX_ROUNDS {
            let labelled = setup.inspect(&conversation(rounds, image)).result?;
            match (labelled.cur_len, labelled.total_len) {
                (Some(cur), Some(total)) if Arithmetic::of(setup, image).is_some() => {
                    deltas.push(cur - total)
                }
                _ => return Ok(None),
            }
        }
        Ok(Self::fit(deltas))
    }

    /// True when the lengths agree for every number of rounds.
    pub fn holds(&self) -> bool {
        self.deltas.iter().all(|delta| *delta == 0)
    }

    /// `Δ = 1 - n`, or the measured differences where they lie on no line.
    pub fn formula(&self) -> String {
        if !self.exact {
            let deltas: Vec<String> = self.deltas.iter().map(|d| format!("{d:+}")).collect();
            return format!("Δ = {} at 1 to {} rounds", deltas.join(", "), self.deltas.len());
        }
        self.line.formula()
    }
}

impl DeltaFits {
    /// Measures both branches of the rule. A branch that raises has no fit.
    pub fn measure(setup: &LlavaSetup) -> Self {
        let delta_fit = |image| DeltaFit::measure(setup, image).ok().flatten();
        Self { text: delta_fit(false), image: delta_fit(true), data: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_named() {
        for (deltas, formula, exact) in [
            (vec![0, -1, -2, -3, -4], "Δ = 1 - n", true),
            (vec![0, 1, 2, 3, 4], "Δ = -1 + n", true),
            (vec![1, 1, 1, 1, 1], "Δ = +1 at every number of rounds", true),
            (vec![-2, -4, -6, -8, -10], "Δ = -2n", true),
            (vec![0, 1, 3, 3, 4], "Δ = +0, +1, +3, +3, +4 at 1 to 5 rounds", false),
        ] {
            let delta_fit = DeltaFit::fit(deltas).expect("five points");
            assert_eq!((delta_fit.formula().as_str(), delta_fit.exact), (formula, exact));
        }
    }
}
