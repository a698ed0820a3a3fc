//! A strategy that reads `{% generation %}` tags on a template without them.

use super::{ChatCheck, ChatContext, Outcome, Verdict, indices};

pub const CHECK: ChatCheck = ChatCheck { id: "MSK038", title: "the template has no generation tag", run };

fn run(context: &ChatContext<'_>) -> Outcome {
    if context.plan.strategy.name != "hf_generation" {
        return Outcome::skipped("the strategy does not read {% generation %} tags");
    }
    if context.plan.chat.template.has_generation_tags() {
        return Outcome::ok();
    }
    let cause = "without {% generation %} the assistant mask is all zero; some frameworks then learn every token, others \
                 raise";
    let fix = context.better_strategy().map(|mut fix| {
        fix.code.push_str("\n# or, with TRL: chat_template=get_training_chat_template(tokenizer)");
        fix
    });
    Outcome::found(Verdict::Error, indices(&context.samples), cause.to_string())
        .evidence("template", context.plan.chat.template.name())
        .with_fix(fix)
}
