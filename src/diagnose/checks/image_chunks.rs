//! A prompt that begins with bos loses an id in every image chunk when bos is no prefix of its own.

use super::check::{Check, CheckOutcome};
use crate::diagnose::cause::id;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Role;

pub const CHECK: Check = Check { id: id::IMAGE_CHUNKS, title: "image chunks lose their first id", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    if context.probe.bos > 0 {
        return CheckOutcome::ok();
    }
    let Some(bos) = context.setup.tokenizer.special.get(Role::Bos) else {
        return CheckOutcome::skipped("the tokenizer has no bos");
    };
    let begins = |text: &str| text.starts_with(&bos.content);
    let prompts = context.indices(|_, i| i.has_image && i.prompt.as_deref().is_some_and(begins));
    let lost = context.lost_to(id::IMAGE_CHUNKS);
    let (verdict, samples) = match (lost.is_empty(), prompts.is_empty()) {
        (true, true) => return CheckOutcome::ok(),
        (true, false) => (Verdict::Warn, prompts),
        _ => (Verdict::Error, lost),
    };
    let cause = "the text begins with the literal bos token: the image-aware encoding takes it for the tokenizer's own \
                 and drops the first id of every chunk";
    CheckOutcome::found(verdict, samples, cause.to_string()).evidence("bos", bos.content.clone())
}
