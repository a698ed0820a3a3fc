//! What every check works on: the set-up, the samples, their labels, and what was measured once for all.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::alternative_load::AlternativeLoad;
use super::arithmetic::Arithmetic;
use super::cause::{CauseInput, causes, raised};
use super::content::{ContentFaults, closing};
use super::data_delta_fit::{DataDeltaFit, Differences};
use super::delta_fit::{DeltaFits, conversations};
use super::delta_terms::DeltaTerms;
use super::fix::Fix;
use super::folder::{IdConflict, id_conflicts};
use super::layout::{MaskCheck, check_mask, turns};
use super::probe::Probe;
use super::search::{Search, smallest_fix};
use super::tokens::spare_tokens;
use super::what_if::{label_verdict, what_if_from};
use crate::chat::Sample;
use crate::labels::{Inspection, Labelled};
use crate::setup::{LlavaSetup, Setup};
use crate::tokenizer::Role;

/// A fix is tried on at most this many samples it is for, and as many others.
const TRIED: usize = 48;

/// What is known of one sample.
#[derive(Debug, Clone)]
pub struct SampleFacts {
    pub content: ContentFaults,
    pub terms: Option<DeltaTerms>,
    /// The checks that explain why the sample is lost or raises; empty where it does neither.
    pub causes: Vec<&'static str>,
    /// The mask before the length check; `None` where the sample raised or the rule has no turns.
    pub mask: Option<MaskCheck>,
}

/// What is measured of a set-up alone, whatever the samples are.
#[derive(Debug)]
pub struct SetupMeasurements {
    pub setup: LlavaSetup,
    pub probe: Probe,
    pub delta_fits: DeltaFits,
    /// Causes that show in plain conversations of 1 to 5 rounds, whether or not this data has such.
    pub hidden: BTreeSet<&'static str>,
    /// Tokens that could be pad.
    pub spare: Vec<String>,
    /// What the rule takes for granted in text samples and in samples with an image.
    arithmetics: [Option<Arithmetic>; 2],
    /// Found when it is first asked for: whole vocabularies are read for it.
    id_conflicts: OnceLock<Vec<IdConflict>>,
}

/// All that a check may look at; the fields of its [`SetupMeasurements`] are its own too.
#[derive(Debug)]
pub struct Context<'a> {
    measurements: &'a SetupMeasurements,
    pub samples: &'a [Sample],
    pub inspections: &'a [Inspection],
    /// The same files loaded in other ways.
    pub alternative_loads: &'a [AlternativeLoad],
    pub facts: Vec<SampleFacts>,
    /// Those of the set-up, and the fit over these samples.
    pub delta_fits: DeltaFits,
    /// Whether fixes are looked for.
    tries_fixes: bool,
    search: OnceLock<Search>,
    searched_fix: OnceLock<Option<Fix>>,
}

impl std::ops::Deref for Context<'_> {
    type Target = SetupMeasurements;

    fn deref(&self) -> &SetupMeasurements {
        self.measurements
    }
}

impl SetupMeasurements {
    /// Measures a set-up.
    pub fn new(setup: LlavaSetup) -> Self {
        let probe = probe(&setup);
        let arithmetics = [Arithmetic::of(&setup, false), Arithmetic::of(&setup, true)];
        let delta_fits = DeltaFits::measure(&setup);
        let spare = spare_tokens(&setup.tokenizer).into_iter().map(|s| s.content).collect();
        let mut measurements = Self {
            setup,
            probe,
            delta_fits,
            hidden: BTreeSet::new(),
            spare,
            arithmetics,
            id_conflicts: OnceLock::new(),
        };
        let causes = conversations()
            .into_iter()
            .flat_map(|s| measurements.facts(&s, &measurements.setup.inspect(&s)).causes);
        measurements.hidden = causes.collect();
        measurements
    }

    /// Tokens to which files of the tokenizer give different ids.
    pub fn id_conflicts(&self) -> &[IdConflict] {
        self.id_conflicts.get_or_init(|| id_conflicts(&self.setup.tokenizer))
    }

    /// True when the rule counts and so can lose samples to a mismatch.
    pub fn counts(&self) -> bool {
        self.arithmetics.first().is_some_and(Option::is_some)
    }

    /// What is known of one sample.
    fn facts(&self, sample: &Sample, inspection: &Inspection) -> SampleFacts {
        let arithmetic = self.arithmetics.get(usize::from(sample.has_image)).and_then(Option::as_ref);
        sample_facts(&self.setup, sample, inspection, arithmetic, &self.probe)
    }
}

impl<'a> Context<'a> {
    /// Measures the samples. `inspections` are their labels under the set-up of the measurements, in their order.
    pub fn new(
        measurements: &'a SetupMeasurements,
        samples: &'a [Sample],
        inspections: &'a [Inspection],
        alternative_loads: &'a [AlternativeLoad],
    ) -> Self {
        let both = samples.par_iter().zip(inspections);
        let facts: Vec<SampleFacts> =
            both.map(|(sample, inspection)| measurements.facts(sample, inspection)).collect();
        let delta_fits = DeltaFits {
            data: data_delta_fit(&measurements.setup, &facts, inspections),
            ..measurements.delta_fits.clone()
        };
        let (search, searched_fix) = (OnceLock::new(), OnceLock::new());
        Self {
            measurements,
            samples,
            inspections,
            alternative_loads,
            facts,
            delta_fits,
            tries_fixes: true,
            search,
            searched_fix,
        }
    }

    /// The same for one sample, without looking for fixes: cheap enough for every sample of a data set.
    pub fn of_one(
        measurements: &'a SetupMeasurements,
        sample: &'a Sample,
        inspection: &'a Inspection,
    ) -> Self {
        let facts = vec![measurements.facts(sample, inspection)];
        let (samples, inspections) = (std::slice::from_ref(sample), std::slice::from_ref(inspection));
        let (search, searched_fix) = (OnceLock::new(), OnceLock::new());
        let delta_fits = measurements.delta_fits.clone();
        Self {
            measurements,
            samples,
            inspections,
            alternative_loads: &[],
            facts,
            delta_fits,
            tries_fixes: false,
            search,
            searched_fix,
        }
    }

    /// Indices of at most so many samples, spread over all of them.
    pub fn some_samples(&self, most: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..self.samples.len()).collect();
        spread(&all, most)
    }

    /// Indices of the lost samples that a check explains.
    pub fn lost_to(&self, id: &str) -> Vec<usize> {
        self.indices(|facts, _| facts.causes.contains(&id))
    }

    /// Indices of samples for which something holds.
    pub fn indices(&self, holds: impl Fn(&SampleFacts, &Inspection) -> bool) -> Vec<usize> {
        let all = self.facts.iter().zip(self.inspections).enumerate();
        all.filter(|(_, (facts, inspection))| holds(facts, inspection)).map(|(i, _)| i).collect()
    }

    /// The exceptions of some samples, each kind once with its message: `KeyError: 'system'`.
    pub fn exceptions(&self, indices: &[usize]) -> Vec<String> {
        let raised = indices.iter().filter_map(|i| self.inspections.get(*i)?.result.as_ref().err());
        let mut all: Vec<String> = Vec::new();
        for error in raised {
            let text = format!("{}: {}", error.kind, error.message);
            if !all.contains(&text) {
                all.push(text);
            }
        }
        all
    }

    /// The labels of a sample that did not raise.
    pub fn labelled(&self, index: usize) -> Option<&Labelled> {
        self.inspections.get(index)?.result.as_ref().ok()
    }

    /// The id of a sample as the data names it.
    pub fn name(&self, index: usize) -> &str {
        self.samples.get(index).map_or("", |s| s.id.as_str())
    }

    /// `17: 56 vs. 55` for the first of some samples.
    pub fn first_mismatch(&self, indices: &[usize]) -> Option<String> {
        indices.iter().find_map(|index| {
            let labelled = self.labelled(*index)?;
            let (cur, total) = (labelled.cur_len?, labelled.total_len?);
            Some(format!("{}: {cur} vs. {total} with {} rounds", self.name(*index), labelled.rounds.len()))
        })
    }

    /// The smallest change that makes the rule count right; searched on first use.
    pub fn search(&self) -> &Search {
        self.search.get_or_init(|| {
            let samples: Vec<&Sample> = self.samples.iter().collect();
            smallest_fix(&self.setup, &spread(&samples, TRIED))
        })
    }

    /// The fix that the search found, with its effect; `None` where nothing better was found.
    pub fn searched_fix(&self) -> Option<Fix> {
        if !self.tries_fixes {
            return None;
        }
        let found = self.searched_fix.get_or_init(|| {
            let fix = self.search().best.clone().filter(|fix| !fix.changes.is_empty())?;
            let wrong = self.indices(|facts, i| i.result.is_err() || !facts.causes.is_empty());
            self.tried(fix, &wrong)
        });
        found.clone()
    }

    /// A fix with what it does to the samples it is for and to others; `None` where it does not help.
    pub fn tried(&self, mut fix: Fix, samples: &[usize]) -> Option<Fix> {
        if !self.tries_fixes {
            return None;
        }
        let mut indices = spread(samples, TRIED);
        let others: Vec<usize> =
            (0..self.samples.len()).filter(|i| samples.binary_search(i).is_err()).collect();
        indices.extend(spread(&others, TRIED));
        let before = |index: usize| Some(label_verdict(&self.setup, self.inspections.get(index)?));
        let effect = what_if_from(&self.setup, &fix, self.samples, &indices, before).ok()?;
        // A sample that matched by accident may break: the repaired must outnumber those.
        let helps =
            effect.repaired + effect.dropped > effect.broken || (samples.is_empty() && effect.broken == 0);
        fix.effect = Some(effect);
        helps.then_some(fix)
    }
}

fn spread<T: Clone>(items: &[T], most: usize) -> Vec<T> {
    let step = items.len().div_ceil(most.max(1)).max(1);
    items.iter().step_by(step).cloned().collect()
}

/// The line over the samples that the length check reaches and whose rounds are cut where they should be.
fn data_delta_fit(
    setup: &LlavaSetup,
    facts: &[SampleFacts],
    inspections: &[Inspection],
) -> Option<DataDeltaFit> {
    let most = i64::try_from(setup.labelling.options.model_max_length).unwrap_or(i64::MAX);
    let checked = facts.iter().zip(inspections).filter_map(|(facts, inspection)| {
        let labelled = inspection.result.as_ref().ok()?;
        let (cur, total) = (labelled.cur_len?, labelled.total_len?);
        let rounds = u64::try_from(facts.terms.as_ref()?.rounds).ok()?;
        (facts.content.is_plain() && cur < most).then_some((rounds, cur - total))
    });
    let mut differences = Differences::new();
    for (rounds, delta) in checked {
        *differences.entry(rounds).or_default().entry(delta).or_default() += 1;
    }
    DataDeltaFit::from_first(&differences)
}

/// Asks the tokenizer of a set-up about its separator and the words behind it.
fn probe(setup: &LlavaSetup) -> Probe {
    let template = &setup.labelling.template;
    let opening = match template.roles.first() {
        Some(name) => format!("{name}: What"),
        None => "What".to_string(),
    };
    Probe::of(&setup.tokenizer, closing(template), &opening)
}

/// The checks that explain why one sample is lost or raises; empty for a kept one.
///
/// Nothing is measured on other samples and no fix is searched, so this is fast enough for every change on a screen.
/// Always empty with a chat template, whose checks look at the answers.
pub fn causes_of(setup: &Setup, sample: &Sample, inspection: &Inspection) -> Vec<&'static str> {
    if inspection.result.as_ref().is_ok_and(|labelled| !labelled.mismatch) {
        return Vec::new();
    }
    let Some(setup) = setup.to_llava() else { return Vec::new() };
    let setup = &setup;
    let arithmetic = Arithmetic::of(setup, inspection.has_image);
    sample_facts(setup, sample, inspection, arithmetic.as_ref(), &probe(setup)).causes
}

fn sample_facts(
    setup: &LlavaSetup,
    sample: &Sample,
    inspection: &Inspection,
    arithmetic: Option<&Arithmetic>,
    probe: &Probe,
) -> SampleFacts {
    let template = &setup.labelling.template;
    let content = ContentFaults::of(sample, template);
    let mut facts = SampleFacts { content, terms: None, causes: Vec::new(), mask: None };
    let (labelled, prompt) = match (&inspection.result, &inspection.prompt) {
        (Ok(labelled), Some(prompt)) => (labelled, prompt),
        (Err(error), _) => {
            facts.causes = vec![raised(error, content, probe)];
            return facts;
        }
        _ => return facts,
    };
    facts.mask = turns(setup, inspection).map(|turns| check_mask(labelled, turns));
    let Some(arithmetic) = arithmetic else { return facts };
    facts.terms = DeltaTerms::of(labelled, prompt, arithmetic, probe);
    if let (true, Some(terms)) = (labelled.mismatch, &facts.terms) {
        let bos = setup.tokenizer.special.get(Role::Bos);
        let begins_with_bos =
            sample.has_image && bos.is_some_and(|bos| round_begins_with(labelled, prompt, &bos.content));
        let around = CauseInput { setup, arithmetic, probe, content, begins_with_bos };
        facts.causes = causes(terms, &around);
    }
    facts
}

fn round_begins_with(labelled: &Labelled, prompt: &str, bos: &str) -> bool {
    labelled.rounds.iter().any(|r| prompt.get(r.text.clone()).is_some_and(|text| text.starts_with(bos)))
}

impl Context<'_> {
    /// The text that closes a round.
    pub fn closing(&self) -> &str {
        closing(&self.setup.labelling.template)
    }
}
