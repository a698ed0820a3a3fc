//! The same files under another class or release: do the ids, and with them the labels, change?

use super::check::{Check, CheckOutcome};
use crate::diagnose::AlternativeLoad;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::labels::Inspection;

pub const CHECK: Check = Check { id: "MSK064", title: "another class or release reads texts otherwise", run };

/// At most so many samples are labelled once more for each alternative load.
const MOST: usize = 48;

/// Texts that readings are known to differ on: digits, tags with line breaks, what follows a special token.
const PROBES: [&str; 7] = [
    "2023",
    "650841823",
    "<think>\nOkay",
    "</s>Human",
    "a  \n b",
    "x\u{200d}y",
    "\u{1f468}\u{200d}\u{1f469}",
];

fn run(context: &Context<'_>) -> CheckOutcome {
    if context.alternative_loads.is_empty() {
        return CheckOutcome::skipped("these files were not loaded in another way");
    }
    let indices = context.some_samples(MOST);
    let mut evidence = Vec::new();
    let mut differing = Vec::new();
    for alternative_load in context.alternative_loads {
        let ids = |text: &str| {
            let own = context.setup.tokenizer.encode(text, true);
            Some((own.ok()?.ids, alternative_load.tokenizer.encode(text, true).ok()?.ids))
        };
        let probes: Vec<String> = PROBES
            .iter()
            .filter(|text| ids(text).is_some_and(|(own, theirs)| own != theirs))
            .map(|text| format!("{text:?}"))
            .collect();
        let LoadDifference { ids, status } = difference(context, alternative_load, &indices);
        if ids.is_empty() && status.is_empty() && probes.is_empty() {
            continue;
        }
        let first = ids.first().or(status.first()).map(|i| format!(", first {}", context.name(*i)));
        let mut text = format!(
            "other ids in {} of {} samples{}; {} are kept in one and lost in the other",
            ids.len(),
            indices.len(),
            first.unwrap_or_default(),
            status.len()
        );
        if !probes.is_empty() {
            text += &format!("; other ids for {}", probes.join(", "));
        }
        evidence.push((alternative_load.name.clone(), text));
        differing.extend(ids.into_iter().chain(status));
    }
    if evidence.is_empty() {
        return CheckOutcome::ok();
    }
    differing.sort_unstable();
    differing.dedup();
    let cause = "the files give other ids, or other labels, when another class or release of transformers loads them: \
                 train, serve and test with one, or pin ids in a test (`maskscope patch` writes one)";
    let outcome = CheckOutcome::found(Verdict::Note, differing, cause.to_string());
    evidence
        .into_iter()
        .fold(outcome, |outcome, (alternative_load, text)| outcome.evidence(&alternative_load, text))
}

/// How an alternative load differs on some samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct LoadDifference {
    /// Samples with other ids, by index.
    ids: Vec<usize>,
    /// Of all: sound here and not there, or the other way round.
    status: Vec<usize>,
}

/// Labels the given samples with an alternative load as well.
fn difference(
    context: &Context<'_>,
    alternative_load: &AlternativeLoad,
    indices: &[usize],
) -> LoadDifference {
    let setup = context.setup.clone().with_tokenizer(alternative_load.tokenizer.clone());
    let mut difference = LoadDifference::default();
    for index in indices {
        let (Some(sample), Some(here)) = (context.samples.get(*index), context.inspections.get(*index))
        else {
            continue;
        };
        let there = setup.inspect(sample);
        let ids = |i: &Inspection| i.result.as_ref().ok().map(|l| l.input_ids.clone());
        if let (Some(a), Some(b)) = (ids(here), ids(&there))
            && a != b
        {
            difference.ids.push(*index);
        }
        if here.status().is_sound() != there.status().is_sound() {
            difference.status.push(*index);
        }
    }
    difference
}
