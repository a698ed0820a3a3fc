//! Tokens that the overrides added: is there an embedding row for them?

use super::{Check, Context, Outcome, Verdict};

pub const CHECK: Check = Check { id: "MSK023", title: "a new token needs an embedding row", run };

fn run(context: &Context<'_>) -> Outcome {
    let effects = &context.plan.setup.effects;
    let new: Vec<String> = effects
        .iter()
        .filter(|e| e.new)
        .filter_map(|e| Some(format!("{} = {}", e.content.as_deref()?, e.id?)))
        .collect();
    if new.is_empty() {
        return Outcome::ok();
    }
    let cause = "an override adds a token: its id must be smaller than the embedding's number of rows, and the training \
                 code does not resize";
    Outcome::found(Verdict::Note, Vec::new(), cause.to_string())
        .evidence("added", new.join(", "))
        .evidence("len(tokenizer)", context.plan.setup.tokenizer.len().to_string())
}
