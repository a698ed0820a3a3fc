//! The pad token stands inside a text.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::fix::Fix;
use crate::setup::TokenChoice;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: id::PAD_IN_TEXT, title: "the pad token stands inside a text", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let lost = context.lost_to(id::PAD_IN_TEXT);
    if lost.is_empty() {
        return CheckOutcome::ok();
    }
    let tokenizer = &context.setup.tokenizer;
    let pad = tokenizer.special.get(Role::Pad).map(|t| t.content.clone()).unwrap_or_default();
    let cause = "an id of the text equals pad: total_len misses it, and the collator gives it attention 0";
    let other = context.spare.iter().find(|token| **token != pad && !context.any_text_has(token));
    let change = match other {
        Some(token) => vec![Change::Token(Role::Pad, TokenChoice::Surface(token.clone()))],
        None => vec![Change::Drop(lost.clone())],
    };
    let fix = context
        .tried(Fix::proposed(&context.setup, change), &lost)
        .or_else(|| context.tried(Fix::new(vec![Change::Drop(lost.clone())]), &lost));
    CheckOutcome::found(crate::diagnose::finding::Verdict::Error, lost, cause.to_string())
        .evidence("pad", pad)
        .with_fix(fix)
}
