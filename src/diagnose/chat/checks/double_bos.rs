//! bos from the template and bos from the tokenizer.

use super::check::{ChatCheck, indices};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK048", title: "bos stands twice in front", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let encoder = context.plan.encoder;
    let Some(bos) = encoder.bos_id() else { return CheckOutcome::skipped("the tokenizer has no bos") };
    let doubled = context
        .that(|facts| facts.masked.as_ref().is_ok_and(|masked| masked.input_ids.starts_with(&[bos, bos])));
    if !doubled.is_empty() {
        let cause =
            "the ids begin with two bos: the template writes one and the tokenizer, or the data, another";
        let fix = "tokenizer(text, add_special_tokens=False)";
        return CheckOutcome::found(Verdict::Warn, indices(doubled), cause.to_string())
            .evidence("bos", context.token(bos))
            .evidence("to mend it", fix);
    }
    let written = context.any_turns().is_some_and(|turns| turns.encoded.ids.first() == Some(&bos));
    if !(written && encoder.adds_bos()) {
        return CheckOutcome::ok();
    }
    let cause = "the template writes bos and the tokenizer adds its own: apply_chat_template encodes right, but a trainer \
                 that renders first and then calls tokenizer(text) gets two";
    CheckOutcome::found(Verdict::Note, Vec::new(), cause.to_string())
        .evidence("bos", context.token(bos))
        .evidence("safe", "tokenizer(text, add_special_tokens=False)")
}
