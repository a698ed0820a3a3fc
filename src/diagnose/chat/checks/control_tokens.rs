//! Special tokens that stand in the data as text.

use super::check::ChatCheck;
use crate::diagnose::accounting::ControlToken;
use crate::diagnose::chat::context::{AccountedRecord, ChatContext};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK069", title: "messages hold special tokens as text", run };

/// Tokens that are listed.
const LISTED: usize = 6;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(accounts) = &context.accounts else {
        return CheckOutcome::skipped("the labels of the samples were not given");
    };
    let all: Vec<(&AccountedRecord, &ControlToken)> = accounts
        .records
        .iter()
        .flat_map(|record| record.account.controls.iter().map(move |token| (record, token)))
        .collect();
    let harmful: Vec<_> = all.iter().copied().filter(|(_, token)| token.is_harmful()).collect();
    let (verdict, shown, cause) = match (all.is_empty(), harmful.is_empty()) {
        (true, _) => return CheckOutcome::ok(),
        (false, false) => (
            Verdict::Warn,
            harmful,
            "the data says a token that the template or generation uses itself: in the ids it is that token, so a turn ends, or \
             another one begins, in the middle of a message. Take it out of the data, or spell it otherwise; transformers 5.23 \
             has apply_chat_template(…, sanitize_control_tokens=True), earlier ones split_special_tokens=True",
        ),
        (false, true) => (
            Verdict::Note,
            all,
            "the data says special tokens that neither the template nor generation uses, or that stay a text in the ids",
        ),
    };
    let mut samples: Vec<usize> = shown.iter().map(|(record, _)| record.index).collect();
    samples.sort_unstable();
    samples.dedup();
    let mut tokens: Vec<(&str, usize, &AccountedRecord, &ControlToken)> = Vec::new();
    for (record, token) in &shown {
        match tokens.iter_mut().find(|(text, ..)| *text == token.token) {
            Some((_, count, ..)) => *count += token.count,
            None => tokens.push((&token.token, token.count, record, token)),
        }
    }
    let records = format!("{} of {}", samples.len(), accounts.looked);
    let outcome = CheckOutcome::found(verdict, samples, cause.to_string()).evidence("records", records);
    tokens.iter().take(LISTED).fold(outcome, |outcome, (text, count, record, token)| {
        outcome.evidence(text, format!("{count} times; first: {}, {}", record.id, token.sentence()))
    })
}
