//! Parts of records that the text which is trained on does not have.

use std::collections::BTreeMap;

use super::check::ChatCheck;
use crate::chat::Conversation;
use crate::diagnose::accounting::{LedgerEntry, Weight, pattern};
use crate::diagnose::chat::context::{AccountedRecord, ChatContext};
use crate::diagnose::chat::remedy::{Aim, Remedy, other_roles, variables};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::data_fix::DataFix;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK054", title: "parts of records are not in the text that is trained on", run };

/// Kinds of parts that are listed.
const LISTED: usize = 8;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(accounts) = &context.accounts else {
        return CheckOutcome::skipped("the labels of the samples were not given");
    };
    let heavy = lists(&accounts.records, Weight::Heavy);
    let light = lists(&accounts.records, Weight::Light);
    let (verdict, main, cause) = match (heavy.is_empty(), light.is_empty()) {
        (true, true) => return CheckOutcome::ok(),
        (false, _) => {
            let cause = "what the record has there is neither read nor learned: the template, or the trainer, does not \
                         write it, and nothing says so";
            (Verdict::Warn, &heavy, cause)
        }
        (true, false) => {
            let cause = "names, further keys and thoughts of earlier answers: templates leave them out as a rule, and \
                         what is trained on lacks them";
            (Verdict::Note, &light, cause)
        }
    };
    let mut samples: Vec<usize> =
        main.values().flat_map(|found| found.iter().map(|(r, _)| r.index)).collect();
    samples.sort_unstable();
    samples.dedup();
    let ill: Vec<&Conversation> =
        accounts.records.iter().filter(|r| samples.contains(&r.index)).map(|r| &r.conversation).collect();
    let roles = other_roles(ill.iter().copied());
    let mut outcome = CheckOutcome::found(verdict, samples, cause.to_string());
    outcome = listed(outcome, main, accounts.looked, "");
    if verdict == Verdict::Note {
        return outcome;
    }
    outcome = listed(outcome, &light, accounts.looked, "left out as a rule: ");
    if let Some(roles) = roles {
        outcome = outcome.evidence("roles that few templates know", roles);
    }
    let candidates: Vec<DataFix> = variables(&context.plan).into_iter().chain(DataFix::FOR_LOST).collect();
    outcome.with_fix(Remedy::search(context, &ill, &candidates, Aim::Losses).map(Remedy::fix))
}

/// One line of evidence for each kind of part.
fn listed(mut outcome: CheckOutcome, lists: &Lists<'_>, looked: usize, before: &str) -> CheckOutcome {
    for (pattern, found) in lists.iter().take(LISTED) {
        let Some((record, entry)) = found.first() else { continue };
        let mut records: Vec<usize> = found.iter().map(|(record, _)| record.index).collect();
        records.dedup();
        outcome = outcome.evidence(
            &format!("{before}{pattern}"),
            format!("in {} of {} records; first: {}, {}", records.len(), looked, record.id, entry.sentence()),
        );
    }
    outcome
}

type Lists<'a> = BTreeMap<String, Vec<(&'a AccountedRecord, &'a LedgerEntry)>>;

/// Lost parts of a weight by their kind of path.
fn lists(records: &[AccountedRecord], wanted: Weight) -> Lists<'_> {
    let mut lists = Lists::new();
    for record in records {
        for (entry, _) in record.account.lost.iter().filter(|(_, weight)| *weight == wanted) {
            lists.entry(pattern(entry)).or_default().push((record, entry));
        }
    }
    lists
}
