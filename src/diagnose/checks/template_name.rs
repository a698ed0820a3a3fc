//! Names of `--version` that do not give the template one thinks of.

use super::check::{Check, CheckOutcome};
use crate::chat::{SeparatorStyle, Template};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::probe::is_one_token;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK001", title: "--version may give another template", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let template = &context.setup.labelling.template;
    let tokenizer = &context.setup.tokenizer;
    if matches!(template.name.as_str(), "v0" | "default") {
        let cause = "the training script's --version v0 (and v0.5) leaves the template at vicuna_v1, and with it the rule at \
                     v1: this template is reached by llava_v0 and v0_mmtag only";
        return CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
            .evidence("template", template.name.clone());
    }
    let ends = |closing: &str| tokenizer.special.get(Role::Eos).is_some_and(|eos| eos.content == closing);
    if template.name != "vicuna_v1" || ends(context.closing()) {
        return CheckOutcome::ok();
    }
    let fits = |name: &&str| {
        let named = Template::named(name).filter(|t| t.style == SeparatorStyle::Two);
        named.and_then(|t| t.sep2).is_some_and(|sep2| is_one_token(tokenizer, &sep2))
    };
    let fitting: Vec<&str> = Template::training_names().into_iter().filter(fits).collect();
    let cause = "the training script takes vicuna_v1 without a word for every --version that it does not know (and for v0 \
                 and v0.5), and this tokenizer's eos is not that template's separator";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence(
            "templates whose separator is one token here",
            if fitting.is_empty() { "none".to_string() } else { fitting.join(", ") },
        )
        .searched(context)
}
