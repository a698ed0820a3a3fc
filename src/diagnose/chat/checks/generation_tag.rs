//! A strategy that reads `{% generation %}` tags on a template without them.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::Strategy;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK038", title: "the template has no generation tag", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if context.plan.strategy != Strategy::HfGeneration {
        return CheckOutcome::skipped("the strategy does not read {% generation %} tags");
    }
    if context.plan.has_generation_tags() {
        return CheckOutcome::ok();
    }
    let cause = "without {% generation %} the assistant mask is all zero; some frameworks then supervise every token, others \
                 raise";
    let fix = context.better_strategy(&[]).map(|mut fix| {
        fix.code.push_str("\n# or, with TRL: chat_template=get_training_chat_template(tokenizer)");
        fix
    });
    CheckOutcome::found(Verdict::Error, indices(&context.samples), cause.to_string())
        .evidence("template", context.plan.method.templates.name.clone())
        .with_fix(fix)
}
