//! The same files under another class or release: do the ids, and with them the labels, change?

use super::{Check, Context, Outcome, Verdict};
use crate::diagnose::alternative_load::{LoadDifference, difference};

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

fn run(context: &Context<'_>) -> Outcome {
    if context.alternative_loads.is_empty() {
        return Outcome::skipped("these files were not loaded in another way");
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
        let LoadDifference { ids, outcome } = difference(context, alternative_load, &indices);
        if ids.is_empty() && outcome.is_empty() && probes.is_empty() {
            continue;
        }
        let first = ids.first().or(outcome.first()).map(|i| format!(", first {}", context.name(*i)));
        let mut text = format!(
            "other ids in {} of {} samples{}; {} are kept in one and lost in the other",
            ids.len(),
            indices.len(),
            first.unwrap_or_default(),
            outcome.len()
        );
        if !probes.is_empty() {
            text += &format!("; other ids for {}", probes.join(", "));
        }
        evidence.push((alternative_load.name.clone(), text));
        differing.extend(ids.into_iter().chain(outcome));
    }
    if evidence.is_empty() {
        return Outcome::ok();
    }
    differing.sort_unstable();
    differing.dedup();
    let cause = "the files give other ids, or other labels, when another class or release of transformers loads them: \
                 train, serve and test with one, or pin ids in a test (`maskscope patch` writes one)";
    let outcome = Outcome::found(Verdict::Note, differing, cause.to_string());
    evidence
        .into_iter()
        .fold(outcome, |outcome, (alternative_load, text)| outcome.evidence(&alternative_load, text))
}
