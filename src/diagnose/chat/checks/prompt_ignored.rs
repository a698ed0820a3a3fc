//! Templates that take no notice of `add_generation_prompt`.

use super::check::ChatCheck;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::masks::anatomy::{Anatomy, MessagePart};

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK050", title: "the template ignores add_generation_prompt", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(turns) = context.plain().and_then(|facts| facts.turns.as_ref().ok()) else {
        return CheckOutcome::skipped("the template does not render two plain rounds");
    };
    let Some((message, answer)) = turns.messages.iter().enumerate().rfind(|(_, m)| m.is_answer()) else {
        return CheckOutcome::ok();
    };
    if !answer.prompt.as_ref().is_some_and(|prompt| prompt.ignored) {
        return CheckOutcome::ok();
    }
    if let Some(tail) = written_always(turns) {
        let cause = "the template writes the generation prompt whether it is asked for or not: the text that is trained on \
                     ends with the header of an answer that is not there";
        return CheckOutcome::found(Verdict::Warn, context.samples.iter().map(|facts| facts.index).collect(), cause.to_string())
            .evidence("behind the last answer", format!("{tail:?}"))
            .with_fix(Some(Fix {
                code: "{% if add_generation_prompt %}{{ … }}{% endif %}   {# around the last header in the template #}".into(),
                summary: "guard the last header with {% if add_generation_prompt %}".into(),
                changes: Vec::new(),
                effect: None,
            }));
    }
    let header: Vec<usize> = turns.tokens_of(message, MessagePart::Inserted).collect();
    let text = match (header.first(), header.last()) {
        (Some(first), Some(last)) => {
            let edge = |token: &usize| turns.encoded.offsets.get(*token).copied().unwrap_or_default();
            turns.slice(edge(first).0..edge(last).1)
        }
        _ => String::new(),
    };
    if text.trim().is_empty() {
        let cause = "add_generation_prompt changes nothing; the answer follows the question directly, so training and \
                     inference agree";
        return CheckOutcome::found(Verdict::Note, Vec::new(), cause.to_string());
    }
    let cause = "add_generation_prompt changes nothing, but training text has a header before an answer: at inference \
                 the model must write it itself";
    CheckOutcome::found(Verdict::Warn, Vec::new(), cause.to_string())
        .evidence("missing at inference", format!("{text:?}"))
}

/// What stands behind the last answer and opens one: the first answer has the same before it.
fn written_always(turns: &Anatomy) -> Option<String> {
    let mut answers = turns.messages.iter().filter(|message| message.is_answer());
    let first = answers.next()?.content.as_ref()?.start;
    let last = answers.next_back()?.content.as_ref()?.end;
    let chars: Vec<char> = turns.text.chars().collect();
    let trimmed = |part: &[char]| part.iter().collect::<String>().trim_end().chars().collect::<Vec<char>>();
    let (before, tail) = (trimmed(chars.get(..first)?), trimmed(chars.get(last..)?));
    let shared = before.iter().rev().zip(tail.iter().rev()).take_while(|(a, b)| a == b).count();
    // A token's name may end as the header's does: `<|assistant|>` and `<|end_of_assistant|>`.
    let (rest, header) = tail.split_at(tail.len() - shared);
    let whole = rest.last().is_none_or(|c| !(c.is_alphanumeric() || *c == '_'));
    (whole && header.iter().any(|c| c.is_alphanumeric())).then(|| header.iter().collect())
}
