//! Which checks hit a single sample, whatever other samples there are: what counts over a whole data set add up from.
//!
//! A check on many samples may report on those it finds lost and leave out others that merely have the fault; on one
//! sample there is no such choice. So counts of parts of a data set add up to the counts of the whole.

use super::chat::ChatMeasurements;
use super::checks::CHECKS;
use super::context::{Context, SetupMeasurements};
use super::finding::{Finding, Verdict};
use crate::chat::Sample;
use crate::labels::Inspection;
use crate::setup::Setup;

/// A check that found something in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHit {
    /// The check's stable id, `MSK003`.
    pub id: &'static str,
    pub title: &'static str,
    pub verdict: Verdict,
}

/// A set-up, measured once, under which samples are looked at one by one.
#[derive(Debug)]
pub enum Attribution {
    Llava(Box<SetupMeasurements>),
    Chat(Box<ChatMeasurements>),
}

impl Attribution {
    /// Measures a set-up.
    pub fn new(setup: &Setup) -> Self {
        match setup.to_llava() {
            Some(llava) => Self::Llava(Box::new(SetupMeasurements::new(llava))),
            None => Self::Chat(Box::new(ChatMeasurements::new(setup.clone()))),
        }
    }

    /// True where the rule counts rounds, so that `cur_len` and `total_len` can be compared.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Llava(measurements) if measurements.counts())
    }

    /// The checks that hit a sample, by id. `inspection` is its label under the set-up.
    pub fn of(&self, sample: &Sample, inspection: &Inspection) -> Vec<RuleHit> {
        let findings: Vec<Finding> = match self {
            Self::Chat(measurements) => measurements.findings(sample, inspection),
            Self::Llava(measurements) => {
                let context = Context::of_one(measurements, sample, inspection);
                CHECKS.iter().map(|check| check.run(&context)).collect()
            }
        };
        findings
            .iter()
            .filter(|finding| finding.verdict > Verdict::Ok && !finding.samples.is_empty())
            .map(|finding| RuleHit { id: finding.id, title: finding.title, verdict: finding.verdict })
            .collect()
    }
}
