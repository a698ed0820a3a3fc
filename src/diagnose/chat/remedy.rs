//! Changes of the data tried on conversations that are refused or lose parts: one after the other, as long as each
//! leaves less wrong than before.

use rayon::prelude::*;

use super::context::{ChatContext, ChatPlan, supervised};
use crate::chat::Conversation;
use crate::diagnose::accounting::{Weight, lost_of};
use crate::diagnose::change::Change;
use crate::diagnose::data_fix::DataFix;
use crate::diagnose::effect::Effect;
use crate::diagnose::fix::Fix;

/// Conversations that changes are tried on.
const TRIED: usize = 32;
/// Changes that are put together.
const MOST_CHANGES: usize = 4;
/// What one refused conversation weighs against a lost part.
const REFUSED: usize = 1000;

/// What is wrong with a conversation under a plan: parts that are lost, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Faults {
    count: usize,
    supervised: usize,
}

/// A remedy that was tried.
#[derive(Debug)]
pub struct Remedy {
    pub changes: Vec<DataFix>,
    pub effect: Effect,
}

impl Remedy {
    /// The best that was found for some conversations; `None` where nothing repairs any.
    pub fn search(context: &ChatContext<'_>, ill: &[&Conversation], candidates: &[DataFix]) -> Option<Self> {
        if !context.tries_fixes {
            return None;
        }
        let plan = &context.plan;
        let ill: Vec<&Conversation> = ill.iter().take(TRIED).copied().collect();
        let before: Vec<Faults> = ill.par_iter().map(|one| faults(plan, one)).collect();
        let mut changes: Vec<DataFix> = Vec::new();
        let mut now = before.clone();
        while changes.len() < MOST_CHANGES && total(&now) > 0 {
            let unused: Vec<&DataFix> = candidates.iter().filter(|fix| !changes.contains(fix)).collect();
            let singles = unused.iter().map(|fix| vec![(*fix).clone()]);
            let best = best_of(plan, &ill, &changes, singles, &now).or_else(|| {
                // A record may have two faults, and no change alone shows.
                let pairs = unused.iter().enumerate().flat_map(|(at, first)| {
                    unused.iter().skip(at + 1).map(|second| vec![(*first).clone(), (*second).clone()])
                });
                best_of(plan, &ill, &changes, pairs, &now)
            });
            let Some((more, after)) = best else { break };
            changes.extend(more);
            now = after;
        }
        let mut effect = Effect { tried: ill.len(), ..Effect::default() };
        for (before, after) in before.iter().zip(&now) {
            effect.repaired += usize::from(before.count > 0 && after.count == 0);
            effect.broken += usize::from(before.count == 0 && after.count > 0);
            effect.remaining += usize::from(after.count > 0);
            effect.supervised_before += before.supervised;
            effect.supervised_after += after.supervised;
        }
        (effect.repaired > effect.broken).then_some(Self { changes, effect })
    }

    /// As a finding has it.
    pub fn fix(self) -> Fix {
        let code: Vec<String> = self.changes.iter().map(DataFix::code).collect();
        let changes = self.changes.into_iter().map(Change::Data).collect();
        Fix { code: code.join("\n"), effect: Some(self.effect), ..Fix::new(changes) }
    }
}

type Tried = (Vec<DataFix>, Vec<Faults>);

/// The changes that leave the least wrong, the first of equals.
fn best_of(
    plan: &ChatPlan<'_>,
    ill: &[&Conversation],
    made: &[DataFix],
    candidates: impl Iterator<Item = Vec<DataFix>>,
    now: &[Faults],
) -> Option<Tried> {
    let mut best: Option<Tried> = None;
    for more in candidates {
        let all: Vec<DataFix> = made.iter().chain(&more).cloned().collect();
        if !ill.iter().any(|one| changed(one, &all) != changed(one, made)) {
            continue;
        }
        let after: Vec<Faults> = ill.par_iter().map(|one| faults(plan, &changed(one, &all))).collect();
        let least = best.as_ref().map_or(total(now), |(_, faults)| total(faults));
        if total(&after) < least {
            best = Some((more, after));
        }
    }
    best
}

fn changed(conversation: &Conversation, changes: &[DataFix]) -> Conversation {
    changes.iter().fold(conversation.clone(), |now, fix| fix.apply(&now).unwrap_or(now))
}

fn total(faults: &[Faults]) -> usize {
    faults.iter().map(|faults| faults.count).sum()
}

fn faults(plan: &ChatPlan<'_>, conversation: &Conversation) -> Faults {
    let Ok(masked) = plan.label(conversation) else { return Faults { count: REFUSED, supervised: 0 } };
    let (text, layout) = plan.method.text_of_labels(plan.encoder, conversation, &masked);
    let reads = plan.method.reads(plan.encoder);
    let lost = lost_of(plan.method, reads, conversation, &text, &layout);
    let count = lost.iter().filter(|(_, weight)| *weight == Weight::Heavy).count();
    Faults { count, supervised: supervised(&masked) }
}

/// Variables of the template that a change can give, both ways.
pub fn variables(plan: &ChatPlan<'_>) -> Vec<DataFix> {
    let names = plan.template().map(crate::chat::jinja::ChatTemplate::options).unwrap_or_default();
    names
        .into_iter()
        .flat_map(|name| [true, false].map(|value| DataFix::Variable(name.clone(), value)))
        .collect()
}
