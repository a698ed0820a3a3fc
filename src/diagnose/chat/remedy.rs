//! Changes of the data tried on conversations that are refused or lose parts: one after the other, as long as each
//! leaves less wrong than before.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::context::{ChatContext, ChatPlan, supervised};
use crate::chat::{Columns, Conversation, role};
use crate::diagnose::accounting::{Weight, lost_of, texts_taken_out};
use crate::diagnose::change::Change;
use crate::diagnose::data_fix::{DataFix, USUAL_ROLES, program};
use crate::diagnose::effect::ChangeEffect;
use crate::diagnose::fix::Fix;

/// Conversations that changes are tried on.
const TRIED: usize = 32;
/// Changes that are put together.
const MOST_CHANGES: usize = 4;
/// What is to be repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// That the conversation is refused; what is lost besides is another finding's.
    Refusal,
    /// That parts of it are lost.
    Losses,
}

/// What is wrong with a conversation under a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Faults {
    refused: usize,
    /// Parts that its text does not have.
    lost: usize,
    /// Texts that a change took out of it.
    taken_out: usize,
}

impl Faults {
    /// How much of it is to be repaired.
    fn of(self, aim: Aim) -> usize {
        match aim {
            Aim::Refusal => self.refused,
            Aim::Losses => self.refused + self.lost + self.taken_out,
        }
    }

    fn total(all: &[Verdict]) -> Self {
        all.iter().fold(Self::default(), |sum, one| Self {
            refused: sum.refused + one.faults.refused,
            lost: sum.lost + one.faults.lost,
            taken_out: sum.taken_out + one.faults.taken_out,
        })
    }
}

/// What a plan makes of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    faults: Faults,
    supervised: usize,
}

/// A remedy that was tried.
#[derive(Debug)]
pub struct Remedy {
    pub changes: Vec<DataFix>,
    pub effect: ChangeEffect,
    columns: Columns,
}

impl Remedy {
    /// The best that was found for some conversations; `None` where nothing repairs any.
    pub fn search(
        context: &ChatContext<'_>,
        ill: &[&Conversation],
        candidates: &[DataFix],
        aim: Aim,
    ) -> Option<Self> {
        if !context.tries_fixes {
            return None;
        }
        let plan = &context.plan;
        let ill: Vec<&Conversation> = ill.iter().take(TRIED).copied().collect();
        let before: Vec<Verdict> = ill.par_iter().map(|one| verdict(plan, one, one)).collect();
        let mut changes: Vec<DataFix> = Vec::new();
        let mut now = before.clone();
        while changes.len() < MOST_CHANGES && Faults::total(&now).of(aim) > 0 {
            let unused: Vec<&DataFix> = candidates.iter().filter(|fix| !changes.contains(fix)).collect();
            let singles = unused.iter().map(|fix| vec![(*fix).clone()]);
            let best = best_of(plan, &ill, &changes, singles, &now, aim).or_else(|| {
                // A record may have two faults, and no change alone shows.
                let pairs = unused.iter().enumerate().flat_map(|(at, first)| {
                    unused.iter().skip(at + 1).map(|second| vec![(*first).clone(), (*second).clone()])
                });
                best_of(plan, &ill, &changes, pairs, &now, aim)
            });
            let Some((more, after)) = best else { break };
            changes.extend(more);
            now = after;
        }
        let mut effect = ChangeEffect { tried: ill.len(), ..ChangeEffect::default() };
        for (before, after) in before.iter().zip(&now) {
            let (was, is) = (before.faults.of(aim), after.faults.of(aim));
            effect.repaired += usize::from(was > 0 && is == 0);
            effect.broken += usize::from(was == 0 && is > 0);
            effect.remaining += usize::from(is > 0);
            effect.supervised_before += before.supervised;
            effect.supervised_after += after.supervised;
        }
        let columns = context.columns;
        (effect.repaired > effect.broken).then_some(Self { changes, effect, columns })
    }

    /// As a finding has it.
    pub fn fix(self) -> Fix {
        let code = program(&self.changes, self.columns);
        let changes = self.changes.into_iter().map(Change::Data).collect();
        Fix { code, effect: Some(self.effect), ..Fix::new(changes) }
    }
}

type Tried = (Vec<DataFix>, Vec<Verdict>);

/// The changes that leave the least wrong, the first of equals: of those that repair as much, the ones that take out least.
fn best_of(
    plan: &ChatPlan<'_>,
    ill: &[&Conversation],
    made: &[DataFix],
    candidates: impl Iterator<Item = Vec<DataFix>>,
    now: &[Verdict],
    aim: Aim,
) -> Option<Tried> {
    // What is lost besides a refusal says nothing about its cause.
    let rank = |verdicts: &[Verdict]| {
        let faults = Faults::total(verdicts);
        (faults.of(aim), faults.taken_out)
    };
    let mut best: Option<Tried> = None;
    for more in candidates {
        let all: Vec<DataFix> = made.iter().chain(&more).cloned().collect();
        if !ill.iter().any(|one| changed(one, &all) != changed(one, made)) {
            continue;
        }
        let after: Vec<Verdict> = ill.par_iter().map(|one| verdict(plan, one, &changed(one, &all))).collect();
        let repairs = rank(&after).0 < rank(now).0;
        if repairs && best.as_ref().is_none_or(|(_, best)| rank(&after) < rank(best)) {
            best = Some((more, after));
        }
    }
    best
}

fn changed(conversation: &Conversation, changes: &[DataFix]) -> Conversation {
    changes.iter().fold(conversation.clone(), |now, fix| fix.apply(&now).unwrap_or(now))
}

/// What a plan makes of a conversation after some changes.
fn verdict(plan: &ChatPlan<'_>, before: &Conversation, after: &Conversation) -> Verdict {
    let Ok(masked) = plan.label(after) else {
        return Verdict { faults: Faults { refused: 1, ..Faults::default() }, supervised: 0 };
    };
    let (text, layout) = plan.method.text_of_labels(plan.encoder, after, &masked);
    let reads = plan.method.reads(plan.encoder);
    let lost = lost_of(plan.method, reads, after, &text, &layout);
    let lost = lost.iter().filter(|(_, weight)| *weight == Weight::Heavy).count();
    let taken_out = if before == after { 0 } else { texts_taken_out(before, after) };
    Verdict { faults: Faults { refused: 0, lost, taken_out }, supervised: supervised(&masked) }
}

/// Variables of the template that a change can give, both ways.
pub fn variables(plan: &ChatPlan<'_>) -> Vec<DataFix> {
    let names = plan.template().map(crate::chat::jinja::ChatTemplate::options).unwrap_or_default();
    names
        .into_iter()
        .flat_map(|name| [true, false].map(|value| DataFix::Variable(name.clone(), value)))
        .collect()
}

/// `developer (3 messages)`: the roles of some conversations that are not the four that every template knows; `None`
/// where there are no others.
pub fn other_roles<'c>(conversations: impl Iterator<Item = &'c Conversation>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for message in conversations.flat_map(|conversation| &conversation.messages) {
        if !USUAL_ROLES.contains(&role(message)) {
            *counts.entry(role(message)).or_default() += 1;
        }
    }
    let texts = counts
        .iter()
        .map(|(role, count)| format!("{role:?} ({count} message{})", if *count == 1 { "" } else { "s" }));
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
