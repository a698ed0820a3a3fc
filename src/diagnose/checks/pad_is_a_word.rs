//! pad is an ordinary token of texts.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: "MSK010", title: "pad is an ordinary token", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    // As loaded: giving a word the role makes it special, and it still occurs in texts.
    let tokenizer = &context.setup.base;
    let Some(pad) = context.probe.pad else { return CheckOutcome::skipped("there is no pad token") };
    let text = tokenizer.token_bytes(pad).unwrap_or_default();
    let ordinary = !tokenizer.added.get(pad).is_some_and(|t| t.special)
        && tokenizer.roles_of(pad).all(|role| role == Role::Pad)
        && tokenizer.token_to_id(&String::from_utf8_lossy(&text)) == Some(pad)
        && tokenizer.encode(&String::from_utf8_lossy(&text), false).is_ok_and(|e| e.ids == [pad])
        && !String::from_utf8_lossy(&text).starts_with(['<', '[']);
    if !ordinary {
        return CheckOutcome::ok();
    }
    let cause = "pad is a token that occurs in texts: it drops out of total_len, and the collator hides it from attention";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("pad", context.role_text(Role::Pad))
}
