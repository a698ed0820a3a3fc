//! The end of a scan: proposed fixes are tried on the drawn samples, and the first examples get their masks.
//!
//! Which fixes are tried follows from the set-up alone (conversations made on the spot, as the doctor has them), so that
//! parts of a data set try the same ones. A fault of the data itself has no such fix: its samples can be left out, and
//! how many they are is counted.

use rayon::prelude::*;

use super::engine::Scanner;
use super::example::{Example, Mask};
use super::fix_samples::{FixEffect, FixSample, SampledRecord};
use super::report::ScanReport;
use crate::chat::Sample;
use crate::data::{Record, RecordPosition};
use crate::diagnose::{Change, Fix, LabelVerdict, conversations, diagnose_llava, fix_search, label_verdict};
use crate::labels::Inspection;
use crate::setup::{LlavaSetup, Setup};

/// Fixes that are tried at most.
const MOST_FIXES: usize = 5;

/// How the tokens of a sample become glyphs: the caller's, as that is a matter of showing.
pub type MaskOf = dyn Fn(&Setup, &Inspection) -> Mask + Sync;

impl Scanner {
    /// Completes a report once all batches are merged. Records that were kept for it leave the report.
    pub fn finish(&self, report: &mut ScanReport, mask_of: &MaskOf) {
        self.try_fixes(report);
        for example in report.by_cause.values_mut().flat_map(|cause| &mut cause.examples) {
            let sample = example.record.take().and_then(|record| self.sample(example_place(example), record));
            example.mask = sample.map(|s| mask_of(self.setup(), &self.setup().inspect(&s)));
        }
        report.settle();
    }

    /// The proposals change LLaVA's templates and rules; for a chat template there are none to try.
    fn try_fixes(&self, report: &mut ScanReport) {
        let Some(setup) = self.setup().to_llava() else {
            report.drawn = FixSample::default();
            return;
        };
        let fixes: Vec<(Fix, LlavaSetup)> = proposals(&setup)
            .into_iter()
            .filter_map(|fix| fix.apply(&setup, &[]).ok().map(|(changed, _)| (fix, changed)))
            .collect();
        let setups: Vec<&LlavaSetup> =
            std::iter::once(&setup).chain(fixes.iter().map(|(_, changed)| changed)).collect();
        let lots = [&mut report.drawn.lost, &mut report.drawn.sound];
        lots.into_iter().flatten().collect::<Vec<&mut SampledRecord>>().into_par_iter().for_each(|lot| {
            let place = RecordPosition { file: String::new(), line: 1, byte: 0, index: 0 };
            let Some(sample) = lot.record.take().and_then(|record| self.sample(place, record)) else {
                return;
            };
            let judge = |setup: &&LlavaSetup| label_verdict(setup, &setup.inspect(&sample));
            let all: Vec<_> = setups.iter().map(judge).collect();
            lot.right = all.iter().map(LabelVerdict::is_right).collect();
            lot.supervised = all
                .iter()
                .map(|label_verdict| u64::try_from(label_verdict.supervised).unwrap_or(u64::MAX))
                .collect();
        });
        report.fixes = fixes
            .into_iter()
            .map(|(fix, _)| FixEffect { summary: fix.summary, code: fix.code, ..FixEffect::default() })
            .collect();
    }

    fn sample(&self, place: RecordPosition, record: String) -> Option<Sample> {
        self.parse(&Record::new(place, record.into_bytes())).ok().map(|parsed| parsed.sample)
    }
}

fn example_place(example: &Example) -> RecordPosition {
    RecordPosition {
        file: example.file.clone(),
        line: example.line,
        byte: example.byte,
        index: example.index,
    }
}

/// Changes of the set-up that the doctor proposes for conversations made on the spot, the smallest working one first.
fn proposals(setup: &LlavaSetup) -> Vec<Fix> {
    let samples = conversations();
    let inspections: Vec<Inspection> = samples.iter().map(|sample| setup.inspect(sample)).collect();
    if inspections.iter().all(|inspection| label_verdict(setup, inspection).is_right()) {
        return Vec::new();
    }
    let search = fix_search(setup, &[]);
    let searched = search.best.into_iter().chain(search.others);
    let found = diagnose_llava(setup.clone(), &samples, &inspections, &[]).findings;
    let mut fixes: Vec<Fix> = Vec::new();
    for fix in searched.chain(found.into_iter().filter_map(|finding| finding.fix)) {
        let of_data = fix.changes.iter().any(|change| matches!(change, Change::Drop(_) | Change::Data(_)));
        let known = fixes.iter().any(|known| known.summary == fix.summary);
        if !(of_data || known || fix.changes.is_empty()) && fixes.len() < MOST_FIXES {
            fixes.push(fix);
        }
    }
    fixes
}
