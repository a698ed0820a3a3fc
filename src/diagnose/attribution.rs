//! Which checks hit a single sample, whatever other samples there are: what counts over a whole data set add up from.
//!
//! A check on many samples may report on those it finds lost and leave out others that merely have the fault; on one
//! sample there is no such choice. So counts of parts of a data set add up to the counts of the whole.

use super::chat;
use super::checks::CHECKS;
use super::context::{Context, PlanMeasurements};
use super::finding::{Finding, Verdict};
use super::plan::Plan;
use crate::chat::Sample;
use crate::labels::Inspection;

/// A check that found something in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHit {
    /// The check's stable id, `MSK003`.
    pub id: &'static str,
    pub title: &'static str,
    pub verdict: Verdict,
}

/// A plan, measured once, under which samples are looked at one by one.
#[derive(Debug)]
pub struct Attribution {
    measurements: PlanMeasurements,
}

impl Attribution {
    /// Measures a plan.
    pub fn new(plan: Plan) -> Self {
        Self { measurements: PlanMeasurements::new(plan) }
    }

    /// The plan that samples are looked at under.
    pub fn plan(&self) -> &Plan {
        &self.measurements.plan
    }

    /// The checks that hit a sample, by id. `inspection` is its label under the plan.
    pub fn of(&self, sample: &Sample, inspection: &Inspection) -> Vec<RuleHit> {
        let setup = &self.plan().setup;
        let findings: Vec<Finding> = match &setup.chat {
            Some(method) => chat::diagnose_setup(setup, method, std::slice::from_ref(sample)).findings,
            None => {
                let context = Context::of_one(&self.measurements, sample, inspection);
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
