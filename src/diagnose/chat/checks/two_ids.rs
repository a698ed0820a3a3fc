//! Tokens to which two files of the tokenizer give different ids.

use super::check::ChatCheck;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::diagnose::folder::{id_conflicts, used_ids};

pub const CHECK: ChatCheck = ChatCheck { id: "MSK066", title: "two files give a token different ids", run };

/// Tokens that are listed.
const LISTED: usize = 6;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(tokenizer) = context.tokenizer else {
        return CheckOutcome::skipped("files are held against each other once, by the doctor");
    };
    let conflicts = id_conflicts(tokenizer);
    if conflicts.is_empty() {
        return CheckOutcome::ok();
    }
    let listed: Vec<_> = conflicts.iter().take(LISTED).collect();
    let tokens: Vec<&str> = listed.iter().map(|conflict| conflict.token.as_str()).collect();
    let ways = used_ids(&tokenizer.files, &tokens);
    let cause = if ways.len() > 1 {
        "the files contradict each other, and which of them counts depends on class and release: a model that was trained \
         with one is served with the other. Keep the id that the model was trained with, in all files"
    } else {
        "the files contradict each other; every class and release takes the same of them, which need not be the one that the \
         model was trained with. Give the token one id in all files"
    };
    let mut outcome = CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("tokens", conflicts.len().to_string());
    for (at, conflict) in listed.iter().enumerate() {
        let used = ways.iter().map(|(names, ids)| match ids.get(at).copied().flatten() {
            Some(id) => format!("{id} by {names}"),
            None => format!("none by {names}"),
        });
        let used: Vec<String> = used.collect();
        outcome =
            outcome.evidence(&conflict.token, format!("{}; used: {}", conflict.claimed(), used.join("; ")));
    }
    outcome
}
