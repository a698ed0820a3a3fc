//! A rule that asserts another template style, or a sample that `plain` does not take.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::labels::Rule;

pub const CHECK: Check = Check { id: id::STYLE, title: "rule and template do not go together", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let refused = context.lost_to(id::STYLE);
    if context.setup.labelling.rule.is(Rule::Plain) {
        let cause = "plain is for image pre-training: it takes only samples of two turns with <image> in the first, throws \
                     the question away, and ends the answer with a line break, not with eos";
        let verdict = if refused.is_empty() { Verdict::Note } else { Verdict::Warn };
        let fix = Fix::new(vec![Change::Drop(refused.clone())]);
        let fix = if refused.is_empty() { None } else { context.tried(fix, &refused) };
        return CheckOutcome::found(verdict, refused, cause.to_string()).with_fix(fix);
    }
    if refused.is_empty() {
        return CheckOutcome::ok();
    }
    let template = &context.setup.labelling.template;
    let cause = format!(
        "the rule asserts another separator style than {:?}, which template {} has",
        template.style, template.name
    );
    CheckOutcome::found(Verdict::Error, refused, cause).searched(context)
}
