//! Text that the template puts in front of an answer, an empty thought for one, and that is learned.

use super::check::{ChatCheck, indices, own_ids};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::IGNORE_INDEX;
use crate::masks::anatomy::{MessagePart, TokenPlace};

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK041", title: "text that the template inserts is supervised", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found = context.that(|facts| first_inserted(facts).is_some());
    let Some((facts, text)) = found.first().and_then(|facts| Some((*facts, first_inserted(facts)?))) else {
        return CheckOutcome::ok();
    };
    let cause = "the template writes this before the content, not the data, and the prompt does not give it: the model \
                 learns to begin its answers with it";
    CheckOutcome::found(Verdict::Note, indices(found.iter().copied()), cause.to_string())
        .evidence("inserted", format!("{text:?}"))
        .evidence("first", facts.id.clone())
}

/// The learned text between prompt and content that is no thought of the data.
fn first_inserted(facts: &Facts) -> Option<String> {
    let (Ok(turns), Ok(masked), Some(overlay)) = (&facts.turns, &facts.masked, &facts.overlay) else {
        return None;
    };
    let learns = |token: &usize| masked.labels.get(*token).is_some_and(|label| *label != IGNORE_INDEX);
    overlay.answers.iter().find_map(|answer| {
        let here = TokenPlace { message: answer.message, part: MessagePart::Inserted };
        let tokens: Vec<usize> = answer
            .tokens
            .clone()
            .filter(|token| *token >= answer.generates && turns.places.get(*token) == Some(&here))
            .filter(learns)
            .collect();
        let start = turns.encoded.offsets.get(*tokens.first()?)?.0;
        let end = turns.encoded.offsets.get(*tokens.last()?)?.1;
        let text = turns.slice(start..end);
        // Thought with letters in it comes from the data.
        let words = text.replace("think", "").chars().any(char::is_alphanumeric);
        (!words && !text.trim().is_empty()).then_some(text)
    })
}
