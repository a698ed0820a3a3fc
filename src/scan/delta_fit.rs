//! The law of the difference as a report of a scan writes it.

use serde::{Deserialize, Serialize};

use crate::diagnose::DataDeltaFit;

/// The line, and how many samples are on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanDeltaFit {
    /// `Δ = 1 - n`.
    pub formula: String,
    pub intercept: i64,
    /// 0 where all samples have the same number of rounds: a slope cannot be told then.
    pub slope: i64,
    /// Samples whose difference is the line's, of all that have one.
    pub samples: u64,
    pub of: u64,
}

impl From<DataDeltaFit> for ScanDeltaFit {
    fn from(delta_fit: DataDeltaFit) -> Self {
        let DataDeltaFit { line, on_line, samples } = delta_fit;
        let (intercept, slope) = (line.intercept, line.slope);
        Self { formula: line.formula(), intercept, slope, samples: on_line, of: samples }
    }
}
