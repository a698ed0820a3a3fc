//! Markers that tokenise differently alone than in the conversation, or are not there at all: the user's own, else those
//! that are read off the template.

use super::check::{ChatCheck, for_inference, indices};
use crate::diagnose::change::Change;
use crate::diagnose::chat::context::{ChatContext, Facts, supervised};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::effect::Effect;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::masks::Settings;
use crate::masks::compare::attempt;
use crate::tokenizer::TokenId;

pub const CHECK: ChatCheck = ChatCheck { id: "MSK045", title: "the response marker is not found", run };

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    if let Some(skipped) = for_inference(context) {
        return skipped;
    }
    let plan = &context.plan;
    if !plan.strategy.searches_ids() {
        return CheckOutcome::skipped("the strategy does not search for markers");
    }
    let given = plan.method.settings.response_part.clone();
    let marker = match (&given, plan.method.markers(plan.encoder)) {
        (Some(given), _) => given.clone(),
        (None, Ok(found)) => found.response,
        (None, Err(error)) => {
            let cause = format!("no markers can be read off the template: {error}");
            return CheckOutcome::found(Verdict::Warn, Vec::new(), cause);
        }
    };
    let unlearned = |facts: &Facts| {
        facts.has_answer
            && facts.uncut.is_none()
            && facts.masked.as_ref().is_ok_and(|masked| supervised(masked) == 0)
    };
    let has = |facts: &Facts| facts.turns.as_ref().is_ok_and(|turns| turns.text.contains(&marker));
    // A marker that the strategy found is as the template writes it; one that was given may be anything.
    let lost = context.that(|facts| unlearned(facts) && (given.is_some() || has(facts)));
    let Some(first) = lost.first() else { return CheckOutcome::ok() };
    let there = lost.iter().find(|facts| has(facts));
    let cause = match there {
        Some(_) => {
            "the marker stands in the text, but its ids alone are not its ids there: text beside it joins its edges, \
                    or a special token swallows the white space of it"
        }
        None => "the marker that was given stands in none of these texts",
    };
    let alone = plan.encoder.ids(&marker).unwrap_or_default();
    let mut outcome = CheckOutcome::found(Verdict::Error, indices(lost.iter().copied()), cause.to_string())
        .evidence(if given.is_some() { "marker that was given" } else { "marker" }, format!("{marker:?}"))
        .evidence("ids alone", format!("{alone:?}"));
    if let Some(facts) = there {
        outcome = outcome.evidence("ids in the text", format!("{:?}", ids_in_text(facts, &marker)));
    }
    let fix = candidates(context, &marker).into_iter().find_map(|settings| tried(context, &lost, settings));
    match fix {
        Some(fix) => outcome.evidence("first", first.id.clone()).with_fix(Some(fix)),
        None => outcome.other_strategy(context),
    }
}

/// The ids of the marker's first place in a text.
fn ids_in_text(facts: &Facts, marker: &str) -> Vec<TokenId> {
    let ids = || {
        let turns = facts.turns.as_ref().ok()?;
        let at = turns.text.find(marker)?;
        let start = turns.text.get(..at)?.chars().count();
        let tokens = turns.tokens(&(start..start + marker.chars().count()));
        turns.encoded.ids.get(tokens).map(<[_]>::to_vec)
    };
    ids().unwrap_or_default()
}

/// Other markers: those that are read off the template, and the given ones without white space at an edge.
fn candidates(context: &ChatContext<'_>, marker: &str) -> Vec<Settings> {
    let own = &context.plan.method.settings;
    let with = |instruction: Option<String>, response: String| Settings {
        instruction_part: instruction,
        response_part: Some(response),
        ..own.clone()
    };
    let found = context.plan.method.markers(context.plan.encoder).ok();
    let found = found.map(|found| with(Some(found.instruction), found.response));
    let edge = |trim: fn(&str) -> &str| {
        with(own.instruction_part.as_deref().map(|part| trim(part).to_string()), trim(marker).to_string())
    };
    let trims: [fn(&str) -> &str; 3] = [str::trim_start, str::trim_end, str::trim];
    let all = found.into_iter().chain(trims.map(edge));
    all.filter(|settings| settings.response_part.as_deref() != Some(marker)).collect()
}

/// Markers with which answers are learned.
fn tried(context: &ChatContext<'_>, lost: &[&Facts], settings: Settings) -> Option<Fix> {
    let plan = &context.plan;
    let mut effect = Effect::default();
    for facts in lost {
        let Some(conversation) = context.conversation(facts.index) else { continue };
        let after = attempt(plan.method, plan.strategy, &settings, plan.encoder, conversation);
        let learned = after.as_ref().map_or(0, supervised);
        effect.tried += 1;
        effect.repaired += usize::from(learned > 0);
        effect.supervised_after += learned;
    }
    effect.remaining = effect.tried - effect.repaired;
    let response = settings.response_part.clone()?;
    let change = Change::Markers { instruction: settings.instruction_part.clone(), response };
    (effect.repaired > 0).then(|| Fix { effect: Some(effect), ..Fix::new(vec![change]) })
}
