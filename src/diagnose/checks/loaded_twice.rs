//! Qwen's first class: the training script loads the tokenizer a second time and forgets the overrides.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check = Check { id: "MSK028", title: "the script loads this tokenizer twice", run };

/// The class that the script's first branch is for.
const CLASS: &str = "QWenTokenizer";

fn run(context: &Context<'_>) -> CheckOutcome {
    let setup = &context.setup;
    if setup.tokenizer.facts.name != CLASS || setup.overrides.is_empty() {
        return CheckOutcome::ok();
    }
    let tokens: Vec<String> = setup
        .effects
        .iter()
        .map(|e| format!("{} = {}", e.role.name(), e.content.as_deref().unwrap_or("None")))
        .collect();
    let cause = "MoE-LLaVA's train.py makes this tokenizer, sets its tokens, and then runs into a second if/elif chain whose \
                 else loads it again without them; what is shown here is the evident intent: in your copy that second \
                 `if` must be `elif`";
    CheckOutcome::found(Verdict::Note, Vec::new(), cause.to_string())
        .evidence("set, then lost", tokens.join(", "))
        .evidence("class", CLASS)
}
