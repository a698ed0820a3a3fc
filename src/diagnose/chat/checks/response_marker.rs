//! Markers that tokenise differently alone than in the conversation, or are not there at all: the user's own, else those
//! that are read off the template.

use super::check::{ChatCheck, for_inference, indices};
use crate::diagnose::change::Change;
use crate::diagnose::chat::context::{ChatContext, Facts, supervised};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::effect::ChangeEffect;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;
use crate::masks::StrategySettings;
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
    let instruction = plan.method.settings.instruction_part.clone();
    let unlearned = |facts: &Facts| {
        facts.has_answer
            && facts.uncut.is_none()
            && facts.masked.as_ref().is_ok_and(|masked| supervised(masked) == 0)
    };
    let has = |facts: &Facts, marker: &str| facts.turns.as_ref().is_ok_and(|t| t.text.contains(marker));
    // A marker that the strategy found is as the template writes it; one that was given may be anything.
    let lost = context
        .that(|facts| unlearned(facts) && (given.is_some() || instruction.is_some() || has(facts, &marker)));
    let Some(first) = lost.first() else { return never_ends(context, instruction.as_deref()) };
    // Of two markers that were given the response's is looked for first.
    let response_is_there = lost.iter().any(|facts| is_found(context, facts, &marker));
    let (name, marker, was_given) = match (&instruction, response_is_there) {
        (Some(instruction), true) => ("instruction marker", instruction.clone(), true),
        _ => ("marker", marker, given.is_some()),
    };
    let there = lost.iter().find(|facts| has(facts, &marker));
    let cause = match (there, name) {
        (Some(facts), _) if is_found(context, facts, &marker) => {
            "the markers are in the ids, and yet the strategy pairs none of them: their order, or their number, is not \
             that of questions and answers"
        }
        (Some(_), _) => {
            "the marker stands in the text, but its ids alone are not its ids there: text beside it joins its edges, \
                    or a special token swallows the white space of it"
        }
        (None, "marker") => "the marker that was given stands in none of these texts",
        (None, _) => {
            "the response marker is in the ids, but the instruction marker that was given stands in none of these texts: \
             without it no answer is supervised"
        }
    };
    let alone = plan.encoder.ids(&marker).unwrap_or_default();
    let what = if was_given { format!("{name} that was given") } else { name.to_string() };
    let mut outcome = CheckOutcome::found(Verdict::Error, indices(lost.iter().copied()), cause.to_string())
        .evidence(&what, format!("{marker:?}"))
        .evidence("ids alone", format!("{alone:?}"));
    if let Some(facts) = there {
        outcome = outcome.evidence("ids in the text", format!("{:?}", ids_in_text(facts, &marker)));
    }
    let fix = candidates(context).into_iter().find_map(|settings| tried(context, &lost, settings));
    match fix {
        Some(fix) => outcome.evidence("first", first.id.clone()).with_fix(Some(fix)),
        None => outcome.other_strategy(context),
    }
}

/// Answers are learned, but the text that should end them is in none of the conversations.
fn never_ends(context: &ChatContext<'_>, instruction: Option<&str>) -> CheckOutcome {
    let Some(instruction) = instruction else { return CheckOutcome::ok() };
    let rendered = context.that(|facts| facts.turns.is_ok());
    let is_there = |facts: &&Facts| facts.turns.as_ref().is_ok_and(|t| t.text.contains(instruction));
    if rendered.is_empty() || rendered.iter().any(is_there) {
        return CheckOutcome::ok();
    }
    let cause = "the instruction marker that was given stands in none of these texts: what is supervised ends at the eos \
                 token or at the next response marker, and not where the next question begins";
    CheckOutcome::found(Verdict::Warn, indices(rendered), cause.to_string())
        .evidence("instruction marker that was given", format!("{instruction:?}"))
}

/// True where the ids of a marker alone are among those of a text.
fn is_found(context: &ChatContext<'_>, facts: &Facts, marker: &str) -> bool {
    let alone = context.plan.encoder.ids(marker).unwrap_or_default();
    let Ok(turns) = &facts.turns else { return false };
    !alone.is_empty() && turns.encoded.ids.windows(alone.len()).any(|ids| ids == alone)
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
fn candidates(context: &ChatContext<'_>) -> Vec<StrategySettings> {
    let plan = &context.plan;
    let own = &plan.method.settings;
    let found = plan.method.markers(plan.encoder).ok();
    let given = own.response_part.clone().or_else(|| found.as_ref().map(|found| found.response.clone()));
    let with = |instruction: Option<String>, response: String| StrategySettings {
        instruction_part: instruction,
        response_part: Some(response),
        ..own.clone()
    };
    let edge = |trim: fn(&str) -> &str| {
        let trimmed = |part: &str| trim(part).to_string();
        given.as_deref().map(|given| with(own.instruction_part.as_deref().map(trimmed), trimmed(given)))
    };
    let trims: [fn(&str) -> &str; 3] = [str::trim_start, str::trim_end, str::trim];
    let detected = found.iter().map(|found| with(Some(found.instruction.clone()), found.response.clone()));
    let all = detected.chain(trims.into_iter().filter_map(edge));
    let differs = |settings: &StrategySettings| {
        settings.response_part.as_deref() != given.as_deref()
            || (own.instruction_part.is_some() && settings.instruction_part != own.instruction_part)
    };
    all.filter(differs).collect()
}

/// Markers with which answers are learned.
fn tried(context: &ChatContext<'_>, lost: &[&Facts], settings: StrategySettings) -> Option<Fix> {
    if !context.tries_fixes {
        return None;
    }
    let plan = &context.plan;
    let mut effect = ChangeEffect::default();
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
