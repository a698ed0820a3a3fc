//! pad and eos are one id: eos gets attention 0 in a batch.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK011", title: "eos is hidden from attention", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    match (context.probe.pad, context.probe.eos_id) {
        (Some(pad), Some(eos)) if pad == eos => {}
        (None, _) => return CheckOutcome::skipped("there is no pad token"),
        _ => return CheckOutcome::ok(),
    }
    let cause = "the collator sets attention_mask to id != pad, and pad is eos: every eos of a conversation gets \
                 attention 0, and collators that mask pad ids would also never teach it";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("eos", context.role_text(Role::Eos))
}
