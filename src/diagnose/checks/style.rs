//! A rule that asserts another template style.

use super::{Check, Context, Outcome, Verdict};
use crate::diagnose::plan::Counting;
use crate::labels::Rule;

pub const CHECK: Check = Check { id: "MSK031", title: "rule and template do not go together", run };

fn run(context: &Context<'_>) -> Outcome {
    if context.plan.counting == Counting::Named(Rule::Plain) {
        let refused = context.raised(|e| e.kind == "AssertionError");
        if refused.is_empty() {
            return Outcome::ok();
        }
        let cause = "plain takes only samples of two turns with <image> in the first, throws the question away, and adds \
                     a line break instead of eos";
        return Outcome::found(Verdict::Warn, refused, cause.to_string());
    }
    let refused = context.raised(|e| e.kind == "AssertionError" && e.message.is_empty());
    if refused.is_empty() {
        return Outcome::ok();
    }
    let template = &context.plan.setup.template;
    let cause = format!(
        "the rule asserts another separator style than {:?}, which template {} has",
        template.style, template.name
    );
    Outcome::found(Verdict::Error, refused, cause).searched(context)
}
