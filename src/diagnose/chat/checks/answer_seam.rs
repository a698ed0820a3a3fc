//! Answers whose first token lies half in the header.

use super::check::{ChatCheck, first_of, indices, own_ids};
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::masks::overlay::{AnswerStart, LabelledAnswer};

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK046", title: "an answer's first token joins the header", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let straddles = |answer: &LabelledAnswer| matches!(answer.start, AnswerStart::Straddles(_));
    let found = context.answers(straddles);
    let heads: Vec<&str> = context
        .probes
        .iter()
        .filter(|(_, facts)| {
            facts.overlay.as_ref().is_some_and(|overlay| overlay.answers.iter().any(straddles))
        })
        .map(|(name, _)| *name)
        .collect();
    if found.is_empty() && heads.is_empty() {
        return CheckOutcome::ok();
    }
    let lost =
        context.answers(|answer| answer.start == AnswerStart::Straddles(false) && answer.supervised > 0);
    let (verdict, cause) = match lost.is_empty() {
        false => (
            Verdict::Warn,
            "the header's last character and the answer's first are one token, and it is masked: the answer loses \
             its head",
        ),
        true => (
            Verdict::Note,
            "the header's last character and the answer's first become one token; at inference the prompt ends with \
             another token, so the model meets a split that it was not trained on",
        ),
    };
    let shown = if lost.is_empty() { found } else { lost };
    let mut outcome =
        CheckOutcome::found(verdict, indices(shown.iter().map(|(facts, _)| *facts)), cause.to_string());
    if !heads.is_empty() {
        outcome = outcome.evidence("answers that begin with", heads.join(", "));
    }
    if let Some((facts, answer)) = shown.first() {
        let id = facts.turns.as_ref().ok().and_then(|turns| turns.encoded.ids.get(answer.generates).copied());
        outcome = outcome
            .evidence("the token", id.map(|id| context.token(id)).unwrap_or_default())
            .evidence("seen in", first_of(context, &shown));
    }
    match verdict {
        Verdict::Warn => outcome.other_strategy(context),
        _ => outcome,
    }
}
