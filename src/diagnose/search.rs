//! The search for a set-up that works: combinations of rule, start, offsets, pad, eos and sep2, cheapest first.
//!
//! A combination counts as working when conversations of 1 to 5 rounds, with and without an image, and the
//! given samples all keep their labels, with exactly the answers and the eos behind each supervised.

use serde::Serialize;

use super::arithmetic::has_two_separators;
use super::change::Change;
use super::content::ContentFaults;
use super::delta_fit::conversations;
use super::fix::Fix;
use super::probe::strips_space;
use super::tokens::{new_pad, pad_is_distinct, spare_tokens, stop_token, unk_is_distinct};
use super::what_if::label_verdict;
use crate::chat::Sample;
use crate::labelling::LlavaLabelling;
use crate::labels::rules::grouped::GroupedRule;
use crate::labels::rules::two::{Offsets, TwoRule};
use crate::labels::rules::{Counting, RuleFacts};
use crate::labels::{Rule, RuleChoice};
use crate::setup::{LlavaSetup, TokenChoice};
use crate::tokenizer::{Role, Tokenizer};

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Search {
    /// The smallest change that works; empty changes when the set-up works as it is; `None` when nothing does.
    pub best: Option<Fix>,
    /// Other working changes, by size.
    pub others: Vec<Fix>,
    /// Combinations that were tried.
    pub tried: usize,
    /// Samples that stay wrong under the smallest change: those that no rule can label had no say.
    pub left_over: usize,
}

/// Most further fixes that are kept.
const OTHERS: usize = 4;

/// Price of a pad that is eos.
const PAD_IS_EOS: usize = 5;

/// A set of changes with its price: how much of the training code and of the model it touches.
type Priced = (usize, Vec<Change>);

/// Searches for the smallest change that makes all `samples` match with right masks.
///
/// Samples that no rule can label (a separator or pad in a text, an empty answer) are left out.
pub fn fix_search(setup: &LlavaSetup, samples: &[&Sample]) -> Search {
    let mut search = search_for(setup, samples, OTHERS, &|| false);
    if let Some(changed) = search.best.as_ref().and_then(|best| changed(setup, &best.changes)) {
        let wrong = |s: &&&Sample| !label_verdict(&changed, &changed.inspect(s)).is_right();
        search.left_over = samples.iter().filter(wrong).count();
    }
    search
}

/// The smallest change alone, for somebody who waits: `cancelled` is asked between combinations. `None` where nothing
/// works or nothing has to change.
pub fn quick_fix(setup: &LlavaSetup, samples: &[&Sample], cancelled: &dyn Fn() -> bool) -> Option<Fix> {
    search_for(setup, samples, 0, cancelled).best.filter(|fix| !fix.changes.is_empty())
}

/// The same, ended as soon as the smallest change is found: what a doctor's visit needs.
pub fn smallest_fix(setup: &LlavaSetup, samples: &[&Sample]) -> Search {
    search_for(setup, samples, 0, &|| false)
}

/// Other numbers of the same function, the nearest first, with which all `samples` match with right masks: what a fix of its
/// code comes to. `None` where nothing has to change or no numbers help.
pub fn counting_fix(
    setup: &LlavaSetup,
    samples: &[&Sample],
    cancelled: &dyn Fn() -> bool,
) -> Option<TwoRule> {
    let own = setup.labelling.rule.two()?;
    let others =
        (0..=1).flat_map(|s| (-1..=2).flat_map(move |r| (-3..=0).map(move |i| (s, r, i)))).map(|numbers| {
            let (start, round, instruction) = numbers;
            let offsets = Offsets { round, instruction };
            TwoRule { start, image: offsets, text: offsets, ..own }
        });
    let far = |two: &TwoRule| {
        let one = |a: Offsets, b: Offsets| (a.round - b.round).abs() + (a.instruction - b.instruction).abs();
        (two.start - own.start).abs() + one(two.image, own.image) + one(two.text, own.text)
    };
    nearest(setup, samples, cancelled, (own, others.collect()), far, RuleChoice::Custom, works)
}

/// The same for a rule of ChatML-like templates: start, and what is added to rounds and instructions.
pub fn grouped_fix(
    setup: &LlavaSetup,
    samples: &[&Sample],
    cancelled: &dyn Fn() -> bool,
) -> Option<GroupedRule> {
    let own = setup.labelling.rule.grouped()?;
    let others = (0..=1)
        .flat_map(|s| (-2..=2).flat_map(move |r| (-3..=2).map(move |i| (s, r, i))))
        .map(|(start, round, instruction)| GroupedRule { start, round, instruction, ..own });
    let far = |rule: &GroupedRule| {
        (rule.start - own.start).abs()
            + (rule.round - own.round).abs()
            + (rule.instruction - own.instruction).abs()
    };
    let is_right =
        |setup: &LlavaSetup, sample: &Sample| label_verdict(setup, &setup.inspect(sample)).rule_is_right();
    nearest(setup, samples, cancelled, (own, others.collect()), far, RuleChoice::CustomGrouped, is_right)
}

/// The numbers nearest to a rule's own that are right on plain conversations and on the samples whose content is plain; `None`
/// where those are its own.
fn nearest<T: Copy + PartialEq>(
    setup: &LlavaSetup,
    samples: &[&Sample],
    cancelled: &dyn Fn() -> bool,
    (own, others): (T, Vec<T>),
    far: impl Fn(&T) -> i64,
    choice: impl Fn(T) -> RuleChoice,
    is_right: impl Fn(&LlavaSetup, &Sample) -> bool,
) -> Option<T> {
    let plain = conversations();
    let template = &setup.labelling.template;
    let judged = samples
        .iter()
        .copied()
        .filter(|s| ContentFaults::of(s, template).is_plain() && !names_token(setup, s));
    let judged: Vec<&Sample> = plain.iter().chain(judged).collect();
    let right = |numbers: T| {
        let labelling = LlavaLabelling { rule: choice(numbers), ..setup.labelling.clone() };
        let changed = LlavaSetup { labelling, ..setup.clone() };
        judged.iter().all(|sample| is_right(&changed, sample))
    };
    let mut numbers: Vec<T> = [own].into_iter().chain(others).collect();
    numbers.sort_by_key(far);
    let found = numbers.into_iter().find(|numbers| !cancelled() && right(*numbers))?;
    (found != own).then_some(found)
}

fn search_for(
    setup: &LlavaSetup,
    samples: &[&Sample],
    others: usize,
    cancelled: &dyn Fn() -> bool,
) -> Search {
    let plain = conversations();
    let mut search = Search { best: None, others: Vec::new(), tried: 0, left_over: 0 };
    for stage in [known_rules(setup), other_numbers(setup)] {
        let mut combinations = combine(setup, stage);
        combinations.sort_by_key(|(price, _)| *price);
        for (_, changes) in combinations {
            if cancelled() {
                return search;
            }
            search.tried += 1;
            let Some(changed) = changed(setup, &changes) else { continue };
            let template = &changed.labelling.template;
            let judged = samples
                .iter()
                .copied()
                .filter(|s| ContentFaults::of(s, template).is_plain() && !names_token(&changed, s));
            let works = plain.iter().chain(judged).all(|s| works(&changed, s));
            if works {
                let fix = Fix::proposed(setup, changes);
                match search.best {
                    None => search.best = Some(fix),
                    Some(_) => search.others.push(fix),
                }
                if search.others.len() == others {
                    return search;
                }
            }
        }
        if search.best.is_some() {
            break;
        }
    }
    search
}

fn changed(setup: &LlavaSetup, changes: &[Change]) -> Option<LlavaSetup> {
    changes.iter().try_fold(setup.clone(), |setup, change| change.apply(setup)).ok()
}

/// True when a text holds the pad token, or one of a role that has no id (4.31 raises there): such a sample says
/// nothing about a rule.
fn names_token(setup: &LlavaSetup, sample: &Sample) -> bool {
    let tokenizer = &setup.tokenizer;
    [Role::Pad, Role::Unk].into_iter().any(|role| {
        let token = tokenizer.special.get(role);
        let stands_out = role == Role::Pad || tokenizer.role_id(role).is_none();
        token.is_some_and(|t| {
            stands_out && sample.conversations.iter().any(|turn| turn.value.contains(&t.content))
        })
    })
}

/// Right labels, and eos as the last supervised token of the conversation.
fn works(setup: &LlavaSetup, sample: &Sample) -> bool {
    let inspection = setup.inspect(sample);
    if !has_two_separators(setup) || !label_verdict(setup, &inspection).rule_is_right() {
        return false;
    }
    let Ok(labelled) = &inspection.result else { return false };
    let eos = setup.tokenizer.role_id(Role::Eos).map(i64::from);
    let cut = labelled.input_ids.len() >= setup.labelling.options.model_max_length;
    cut || labelled.labels.iter().rev().find(|label| **label >= 0).copied() == eos
}

/// All combinations of separators and tokens with some rules.
fn combine(setup: &LlavaSetup, rules: Vec<Priced>) -> Vec<Priced> {
    let mut all = Vec::new();
    for (stop_price, stop) in stops(setup) {
        for (pad_price, pad) in pads(&setup.tokenizer) {
            for (rule_price, rule) in &rules {
                let changes = [stop.clone(), pad.clone(), rule.clone()].concat();
                // What works as it is needs no change, whatever could be nicer.
                let price = if changes.is_empty() { 0 } else { stop_price + pad_price + rule_price };
                all.push((price, changes));
            }
        }
    }
    all
}

/// The separator as it is, or the tokenizer's true eos; another template where this one has no sep2.
fn stops(setup: &LlavaSetup) -> Vec<Priced> {
    let tokenizer = &setup.tokenizer;
    let Some(stop) = stop_token(tokenizer) else { return vec![(0, Vec::new())] };
    let mut separator = Vec::new();
    if !has_two_separators(setup) {
        separator = vec![Change::Template("vicuna_v1".to_string()), Change::Sep2(stop.clone())];
    } else if setup.labelling.template.sep2.as_deref() != Some(stop.as_str()) {
        separator = vec![Change::Sep2(stop.clone())];
    }
    let price = if has_two_separators(setup) { separator.len() } else { 3 };
    let with_eos = |choice: TokenChoice| {
        (price + 1, [vec![Change::Token(Role::Eos, choice)], separator.clone()].concat())
    };
    let mut stops = match tokenizer.special.get(Role::Eos) {
        Some(_) => vec![(price, separator.clone())],
        None => vec![with_eos(TokenChoice::Surface(stop.clone()))],
    };
    // A class that swallows whitespace beside the separator leaves it beside an object.
    if strips_space(tokenizer, &stop) {
        stops.push(with_eos(TokenChoice::Object(stop)));
    }
    stops
}

/// Pad as it is, a copy of unk, a spare token, or (last) a new one.
fn pads(tokenizer: &Tokenizer) -> Vec<Priced> {
    let mut pads: Vec<Priced> = Vec::new();
    if tokenizer.role_id(Role::Pad).is_some() {
        // A pad that is eos hides every stop from attention, whatever the lengths say.
        pads.push((if pad_is_distinct(tokenizer) { 0 } else { PAD_IS_EOS }, Vec::new()));
    }
    let copy = Change::Token(Role::Pad, TokenChoice::CopyOf(Role::Unk));
    if unk_is_distinct(tokenizer) && tokenizer.role_id(Role::Pad) != tokenizer.role_id(Role::Unk) {
        pads.push((1, vec![copy.clone()]));
    }
    for (rank, spare) in spare_tokens(tokenizer).into_iter().enumerate() {
        let is_new = spare.id.is_none();
        let surface = TokenChoice::Surface(spare.content);
        // A new token may need a row that the embedding does not have.
        let price = if spare.id.is_some() { 1 + rank } else { 6 };
        // The training script sets pad from unk, so unk is the role to give where there is none of its own.
        pads.push(match unk_is_distinct(tokenizer) {
            true => (price, vec![Change::Token(Role::Pad, surface)]),
            false => (price, vec![Change::Token(Role::Unk, surface), copy.clone()]),
        });
        if is_new && let Some(name) = new_pad(tokenizer).filter(|_| !unk_is_distinct(tokenizer)) {
            let surface = TokenChoice::Surface(name.to_string());
            pads.push((price, vec![Change::Token(Role::Pad, surface)]));
        }
    }
    if tokenizer.role_id(Role::Eos).is_some() && !pad_is_distinct(tokenizer) {
        pads.push((PAD_IS_EOS, vec![Change::Token(Role::Pad, TokenChoice::CopyOf(Role::Eos))]));
    }
    pads
}

/// The known functions, the running one first.
fn known_rules(setup: &LlavaSetup) -> Vec<Priced> {
    let mut rules: Vec<Priced> = Vec::new();
    if setup.labelling.rule.two().is_some() {
        rules.push((0, Vec::new()));
    }
    let mut seen: Vec<TwoRule> = Vec::new();
    for rule in Rule::ALL {
        let RuleFacts { counting, code, .. } = rule.facts();
        let (Some(_), Counting::Two(two)) = (code.function, counting) else { continue };
        // Two names of one arithmetic (openchat's is v1's) are one choice.
        if seen.contains(two) {
            continue;
        }
        seen.push(*two);
        if !setup.labelling.rule.is(rule) {
            rules.push((if code.also.is_empty() { 1 } else { 2 }, vec![Change::Rule(rule)]));
        }
    }
    rules
}

/// Numbers that no known function has.
fn other_numbers(setup: &LlavaSetup) -> Vec<Priced> {
    let can_correct = setup.tokenizer.facts.legacy == Some(false);
    let mut rules = Vec::new();
    for start in 0..=1 {
        for round in -1..=2 {
            for instruction in -3..=0 {
                for looks_at_legacy in [false, true] {
                    if looks_at_legacy && !can_correct {
                        continue;
                    }
                    let offsets = Offsets { round, instruction };
                    let two =
                        TwoRule { start, image: offsets, text: offsets, looks_at_legacy, ..TwoRule::V1 };
                    rules.push((4, vec![Change::Numbers(two)]));
                }
            }
        }
    }
    rules
}
