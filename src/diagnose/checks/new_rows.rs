//! Ids against the rows of the embedding: tokens that the overrides added, and every id of the data.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check = Check { id: "MSK023", title: "a token needs an embedding row", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let effects = &context.setup.effects;
    let tokenizer = &context.setup.tokenizer;
    let added = effects.iter().filter(|e| e.new).filter_map(|e| Some((e.content.as_deref()?, e.id?)));
    let new: Vec<(&str, u32)> = added.collect();
    let rows = tokenizer.embedding_rows;
    let top = new.iter().map(|(_, id)| *id).max();
    let has_no_row = |id: i64| rows.is_some_and(|rows| usize::try_from(id).is_ok_and(|id| id >= rows));
    let outside = context.indices(|_, i| {
        i.result.as_ref().is_ok_and(|labelled| labelled.input_ids.iter().any(|id| has_no_row(*id)))
    });
    let (verdict, cause) = match (rows, top) {
        (Some(rows), Some(top)) if has_no_row(i64::from(top)) => (
            Verdict::Error,
            format!(
                "an override adds a token whose id {top} has no row: config.json names {rows} embedding rows, and the \
                 training code does not resize; looking the token up fails"
            ),
        ),
        (Some(rows), _) if !outside.is_empty() => (
            Verdict::Error,
            format!(
                "ids of the data have no row: config.json names {rows} embedding rows, and the training code does not \
                 resize; looking them up fails (an index error, or a device-side assert)"
            ),
        ),
        (None, Some(_)) => (
            Verdict::Note,
            "an override adds a token: its id must be smaller than the embedding's number of rows, and the training \
             code does not resize"
                .to_string(),
        ),
        _ => return CheckOutcome::ok(),
    };
    let mut outcome = CheckOutcome::found(verdict, outside, cause);
    if !new.is_empty() {
        let list = new.iter().map(|(content, id)| format!("{content} = {id}")).collect::<Vec<_>>().join(", ");
        outcome = outcome.evidence("added", list);
    }
    outcome
        .evidence("len(tokenizer)", tokenizer.len().to_string())
        .evidence("embedding rows", rows.map_or("not known".to_string(), |rows| rows.to_string()))
}
