//! pad is None, so nothing can be padded or compared.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: id::PAD_MISSING, title: "there is no pad token", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if context.probe.pad.is_some() {
        return CheckOutcome::ok();
    }
    let tokenizer = &context.setup.tokenizer;
    let raised = context.lost_to(id::PAD_MISSING);
    let cause = match (tokenizer.special.get(Role::Pad), tokenizer.special.get(Role::Unk)) {
        (Some(pad), _) => format!("the pad token {:?} has no id in this class and release", pad.content),
        (None, None) => "pad is set from unk, and the tokenizer has no unk: pad is None".to_string(),
        (None, Some(_)) => "no pad token is set".to_string(),
    };
    CheckOutcome::found(Verdict::Error, raised, cause)
        .evidence("unk", context.role_text(Role::Unk))
        .evidence("pad", context.role_text(Role::Pad))
        .searched(context)
}
