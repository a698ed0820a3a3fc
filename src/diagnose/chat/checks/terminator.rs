//! Answers end with a special token at which generation does not stop.

use super::check::{ChatCheck, first_of, indices, own_ids};
use crate::diagnose::change::Change;
use crate::diagnose::chat::context::ChatContext;
use crate::diagnose::chat::context::ChatPlan;
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::diagnose::patch::python_string;
use crate::masks::overlay::AnswerStop;
use crate::setup::TokenChoice;
use crate::tokenizer::Role;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK035", title: "the end-of-turn token does not stop generation", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = own_ids(context) {
        return skipped;
    }
    let found =
        context.answers(|answer| answer.supervised > 0 && matches!(answer.stop, AnswerStop::Other(_)));
    let Some((facts, answer)) = found.first() else { return CheckOutcome::ok() };
    let (Ok(turns), AnswerStop::Other(at)) = (&facts.turns, answer.stop) else { return CheckOutcome::ok() };
    let Some(end) = turns.encoded.ids.get(at).copied() else { return CheckOutcome::ok() };
    let config = if context.plan.knows_generation_config {
        "generation_config.json does not list it either"
    } else {
        "there is no generation_config.json that would list it"
    };
    let cause = format!(
        "the template ends an answer with another token than eos, and {config}: the model learns a token at which \
         generation goes on"
    );
    let stops: Vec<_> = context.plan.stops.iter().copied().chain([end]).collect();
    let surface = context.plan.encoder.added_token(end).unwrap_or_default();
    let code = format!(
        "generation_config.eos_token_id = {stops:?}\ntokenizer.eos_token = {}   # axolotl: eot_tokens: [{0}]",
        python_string(&surface)
    );
    let change = Change::Token(Role::Eos, TokenChoice::Surface(surface));
    let fix = context.tried(ChatPlan { stops: &stops, ..context.plan }, change, code);
    CheckOutcome::found(Verdict::Warn, indices(found.iter().map(|(facts, _)| *facts)), cause)
        .evidence("an answer ends with", context.token(end))
        .evidence("generation stops at", context.stops())
        .evidence("seen in", first_of(context, &found))
        .with_fix(fix)
}
