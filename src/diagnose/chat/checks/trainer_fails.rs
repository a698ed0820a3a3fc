//! Conversations that the template or the trainer refuses: every error, its samples, and what of the data is behind it.

use super::check::{ChatCheck, indices};
use crate::chat::Conversation;
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::chat::remedy::{Aim, Remedy, other_roles};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::data_fix::DataFix;
use crate::diagnose::finding::Verdict;
use crate::masks::MaskError;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK052", title: "the trainer raises or drops conversations", run };

/// Errors, and samples of each, that are named.
const LISTED: usize = 8;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let failed = context.that(|facts| facts.masked.is_err());
    let Some(error) = failed.first().and_then(|facts| facts.masked.as_ref().err()) else {
        return other_rows(context);
    };
    let what = match error {
        MaskError::Unfit(_) => "the strategy cannot be used with this vocabulary or template",
        MaskError::Template(_) => "the template refuses the conversation, so no text comes of it",
        MaskError::Dropped(_) => "the trainer leaves the row out, with a warning in its log at most",
        MaskError::Python(_) | MaskError::Tokenizer(_) => "the trainer raises, or drops the row",
    };
    let ill: Vec<&Conversation> =
        failed.iter().filter_map(|facts| context.conversation(facts.index)).collect();
    let remedy = match error {
        MaskError::Unfit(_) => None,
        _ => Remedy::search(context, &ill, &DataFix::FOR_REFUSED, Aim::Refusal),
    };
    let cause = match &remedy {
        Some(remedy) => {
            let reasons: Vec<&str> = remedy.changes.iter().map(DataFix::explains).collect();
            format!("{what}: {}", reasons.join("; "))
        }
        None => what.to_string(),
    };
    let mut outcome = CheckOutcome::found(Verdict::Error, indices(failed.iter().copied()), cause);
    let kinds = by_error(&failed);
    for (error, samples) in kinds.iter().take(LISTED) {
        let names: Vec<&str> = samples.iter().take(LISTED).map(|facts| facts.id.as_str()).collect();
        let more = if samples.len() > names.len() { ", …" } else { "" };
        let what =
            if samples.len() == 1 { "1 sample".to_string() } else { format!("{} samples", samples.len()) };
        outcome = outcome.evidence(&what, format!("{error} ({}{more})", names.join(", ")));
    }
    if let Some(forms) = argument_forms(context) {
        outcome = outcome.evidence("tool arguments", forms);
    }
    if let Some(roles) = other_roles(ill.iter().copied()) {
        outcome = outcome.evidence("roles that few templates know", roles);
    }
    let outcome = outcome.evidence("samples", format!("{} of {}", failed.len(), context.samples.len()));
    match remedy {
        Some(remedy) => outcome.with_fix(Some(remedy.fix())),
        None => outcome.other_strategy(context),
    }
}

/// Rows that are no conversation, those of preference trainers for one.
fn other_rows(context: &ChatContext<'_>) -> CheckOutcome {
    let refused = context.accounts.as_ref().map(|accounts| accounts.refused.as_slice()).unwrap_or_default();
    if refused.is_empty() {
        return CheckOutcome::ok();
    }
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for (_, id, error) in refused {
        match kinds.iter_mut().find(|(known, _)| shape(known) == shape(error)) {
            Some((_, ids)) => ids.push(id),
            None => kinds.push((error.clone(), vec![id])),
        }
    }
    let cause = "the trainer raises on these rows, or leaves them out";
    let samples = refused.iter().map(|(index, ..)| *index).collect();
    let mut outcome = CheckOutcome::found(Verdict::Error, samples, cause.to_string());
    for (error, ids) in kinds.iter().take(LISTED) {
        let names: Vec<&str> = ids.iter().take(LISTED).copied().collect();
        let more = if ids.len() > names.len() { ", …" } else { "" };
        outcome = outcome.evidence(
            &format!("{} sample{}", ids.len(), if ids.len() == 1 { "" } else { "s" }),
            format!("{error} ({}{more})", names.join(", ")),
        );
    }
    outcome
}

/// The different errors with their samples, in the order in which they come.
fn by_error<'f>(failed: &[&'f Facts]) -> Vec<(String, Vec<&'f Facts>)> {
    let mut kinds: Vec<(String, Vec<&Facts>)> = Vec::new();
    for facts in failed {
        let Err(error) = &facts.masked else { continue };
        let text = error.to_string();
        match kinds.iter_mut().find(|(known, _)| shape(known) == shape(&text)) {
            Some((_, samples)) => samples.push(facts),
            None => kinds.push((text, vec![facts])),
        }
    }
    kinds
}

/// Longer quotes are of the sample, shorter ones name types and keys.
const QUOTED: usize = 24;

/// An error without numbers and what it quotes of its sample.
fn shape(error: &str) -> String {
    let mut shape = String::new();
    let mut quoted: Option<(char, String)> = None;
    let mut before = ' ';
    for c in error.chars().filter(|c| !c.is_ascii_digit()) {
        match &mut quoted {
            Some((open, text)) if c == *open && before != '\\' => {
                if text.chars().count() <= QUOTED && !text.contains(' ') {
                    shape.push_str(text);
                }
                quoted = None;
            }
            Some((_, text)) => text.push(c),
            // An apostrophe stands behind a letter.
            None if matches!(c, '\'' | '"') && !before.is_alphanumeric() => quoted = Some((c, String::new())),
            None => shape.push(c),
        }
        before = c;
    }
    shape
}

/// `strings in a, b; objects in c`, where calls of tools are among what is refused.
fn argument_forms(context: &ChatContext<'_>) -> Option<String> {
    let has = |facts: &Facts, form: fn(&serde_json::Value) -> bool| {
        let messages = context.conversation(facts.index).map(|c| c.messages.as_slice()).unwrap_or_default();
        let calls = messages.iter().filter_map(|m| m.get("tool_calls")?.as_array()).flatten();
        calls.filter_map(|call| call.get("function").unwrap_or(call).get("arguments")).any(form)
    };
    let with = |form: fn(&serde_json::Value) -> bool| context.that(|facts| has(facts, form));
    let (texts, objects) = (with(serde_json::Value::is_string), with(serde_json::Value::is_object));
    if !texts.iter().chain(&objects).any(|facts| facts.masked.is_err()) {
        return None;
    }
    let list = |name: &str, found: &[&Facts]| {
        let names: Vec<&str> = found.iter().take(LISTED).map(|facts| facts.id.as_str()).collect();
        let more = if found.len() > names.len() { ", …" } else { "" };
        (!found.is_empty()).then(|| format!("{name} in {} samples ({}{more})", found.len(), names.join(", ")))
    };
    let lists: Vec<String> =
        [list("strings", &texts), list("objects", &objects)].into_iter().flatten().collect();
    Some(lists.join("; "))
}
