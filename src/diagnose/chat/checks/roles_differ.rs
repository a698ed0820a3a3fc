//! eos, pad and bos that the tokenizer, generation_config.json, config.json and the chat template name differently.

use serde_json::json;

use super::check::ChatCheck;
use crate::chat::Conversation;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::diagnose::folder::role_conflicts;
use crate::masks::Call;
use crate::masks::anatomy::{MessageAnatomy, MessagePart};
use crate::tokenizer::{TokenId, Tokenizer};

pub const CHECK: ChatCheck = ChatCheck { id: "MSK067", title: "files name different eos, pad or bos", run };

/// A text that no template writes.
const SAID: &str = "Zq7 said this";

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(tokenizer) = context.tokenizer else {
        return CheckOutcome::skipped("files are held against each other once, by the doctor");
    };
    let conflicts = role_conflicts(tokenizer, end_of_answers(context, tokenizer));
    if conflicts.is_empty() {
        return CheckOutcome::ok();
    }
    let verdict =
        if conflicts.iter().any(|conflict| conflict.is_fault) { Verdict::Warn } else { Verdict::Note };
    let causes: Vec<&str> = conflicts.iter().map(|conflict| conflict.cause.as_str()).collect();
    let mut outcome = CheckOutcome::found(verdict, Vec::new(), causes.join("; "));
    for conflict in &conflicts {
        let claims: Vec<String> =
            conflict.claims.iter().map(|(place, named)| format!("{place}: {named}")).collect();
        outcome = outcome.evidence(conflict.role.name(), claims.join("; "));
    }
    outcome
}

/// The special token that the template writes behind an answer: where turns were measured, and else in a text, as slow
/// classes cannot tell where their tokens are.
fn end_of_answers(context: &ChatContext<'_>, tokenizer: &Tokenizer) -> Option<TokenId> {
    let all = context.samples.iter().chain(context.plain());
    let measured = all.filter_map(|facts| facts.turns.as_ref().ok()).find_map(|turns| {
        let answer = turns.messages.iter().rposition(MessageAnatomy::is_answer)?;
        let end = turns.tokens_of(answer, MessagePart::End).next()?;
        turns.encoded.ids.get(end).copied()
    });
    measured.or_else(|| {
        let messages =
            vec![json!({"role": "user", "content": "Hi"}), json!({"role": "assistant", "content": SAID})];
        let conversation = Conversation { messages, ..Conversation::default() };
        let method = context.plan.method;
        let text = method.chat(tokenizer, &conversation).ok()?.text(Call::whole(&conversation)).ok()?;
        let (_, behind) = text.rsplit_once(SAID)?;
        method.controls(tokenizer).in_text(behind).next().map(|(id, _)| id)
    })
}
