//! Tokens that the overrides added: is there an embedding row for them?

use super::{Check, Context, Outcome, Verdict};

pub const CHECK: Check = Check { id: "MSK023", title: "a new token needs an embedding row", run };

fn run(context: &Context<'_>) -> Outcome {
    let effects = &context.plan.setup.effects;
    let tokenizer = &context.plan.setup.tokenizer;
    let added = effects.iter().filter(|e| e.new).filter_map(|e| Some((e.content.as_deref()?, e.id?)));
    let new: Vec<(&str, u32)> = added.collect();
    let Some(top) = new.iter().map(|(_, id)| *id).max() else { return Outcome::ok() };
    let list = new.iter().map(|(content, id)| format!("{content} = {id}")).collect::<Vec<_>>().join(", ");
    let rows = tokenizer.embedding_rows;
    let (verdict, cause) = match rows {
        Some(rows) if usize::try_from(top).is_ok_and(|top| top < rows) => return Outcome::ok(),
        Some(rows) => (
            Verdict::Error,
            format!(
                "an override adds a token whose id {top} has no row: config.json names {rows} embedding rows, and the \
                 training code does not resize; looking the token up fails"
            ),
        ),
        None => (
            Verdict::Note,
            "an override adds a token: its id must be smaller than the embedding's number of rows, and the training \
             code does not resize"
                .to_string(),
        ),
    };
    Outcome::found(verdict, Vec::new(), cause)
        .evidence("added", list)
        .evidence("len(tokenizer)", tokenizer.len().to_string())
        .evidence("embedding rows", rows.map_or("not known".to_string(), |rows| rows.to_string()))
}
