//! Rows for preference training whose sides teach nothing, or do not stop.

use std::collections::BTreeMap;

use super::check::ChatCheck;
use crate::diagnose::accounting::SideProblem;
use crate::diagnose::chat::context::{AccountedRecord, ChatContext};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK057", title: "the sides of preference rows are equal, empty or open", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(accounts) = &context.accounts else {
        return CheckOutcome::skipped("the labels of the samples were not given");
    };
    let found: Vec<&AccountedRecord> =
        accounts.records.iter().filter(|record| !record.account.sides.is_empty()).collect();
    if found.is_empty() {
        return CheckOutcome::ok();
    }
    let mut kinds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for record in &found {
        for problem in &record.account.sides {
            kinds.entry(problem.sentence()).or_default().push(&record.id);
        }
    }
    let teaches_nothing = |record: &&AccountedRecord| {
        record.account.sides.iter().any(|problem| !matches!(problem, SideProblem::NoStop(_)))
    };
    let cause = match found.iter().any(teaches_nothing) {
        true => {
            "a preference trainer learns the difference of two answers, or one answer against its prompt: where there is \
                 none the row costs time and teaches nothing"
        }
        false => "both answers are learned without their end: the model is not taught where to stop",
    };
    let samples = found.iter().map(|record| record.index).collect();
    let mut outcome = CheckOutcome::found(Verdict::Warn, samples, cause.to_string());
    for (sentence, ids) in &kinds {
        outcome = outcome.evidence(
            &format!("in {} of {}", ids.len(), accounts.looked),
            format!("{sentence}; first: {}", ids.first().unwrap_or(&"")),
        );
    }
    outcome
}
