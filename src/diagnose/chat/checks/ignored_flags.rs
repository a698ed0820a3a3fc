//! Flags of messages that the labels go against: no one reads them.

use super::check::ChatCheck;
use crate::diagnose::chat::context::{AccountedRecord, ChatContext};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK056", title: "flags of messages are not followed", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(accounts) = &context.accounts else {
        return CheckOutcome::skipped("the labels of the samples were not given");
    };
    let found: Vec<&AccountedRecord> =
        accounts.records.iter().filter(|record| !record.account.flags.is_empty()).collect();
    let Some((first, flag)) = found.first().and_then(|record| Some((*record, record.account.flags.first()?)))
    else {
        return CheckOutcome::ok();
    };
    let cause = "messages say themselves whether they are learned, and this strategy does not read the flag: the labels \
                 go against it";
    let mut keys: Vec<&str> =
        found.iter().flat_map(|record| record.account.flags.iter().map(|flag| flag.key.as_str())).collect();
    keys.sort_unstable();
    keys.dedup();
    CheckOutcome::found(Verdict::Warn, found.iter().map(|record| record.index).collect(), cause.to_string())
        .evidence("flags", keys.join(", "))
        .evidence("first", format!("{}: {}", first.id, flag.sentence()))
        .evidence("records", format!("{} of {}", found.len(), accounts.looked))
}
