//! Onboarding: from a tokenizer that nobody has used here yet to a set-up that is proven on conversations.
//!
//! It walks the customization guide from the first step to the last: which of the three kinds is it, which
//! tokens to give, which separator, which rule; and then shows that lengths agree and masks are right.

use rayon::prelude::*;
use serde::Serialize;

use super::change::Change;
use super::delta_fit::DeltaFits;
use super::effect::ChangeEffect;
use super::fix::Fix;
use super::search::{Search, fix_search};
use super::tokens::{NEW_TOKEN, pad_is_distinct, unk_is_distinct};
use super::what_if::{label_verdict, what_if};
use crate::chat::Sample;
use crate::error::{Error, Result};
use crate::labels::{Inspection, StatusCounts};
use crate::setup::{LlavaSetup, Setup, TokenChoice};
use crate::tokenizer::{Role, Tokenizer};

/// The three kinds of tokenizer that the guide tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// Lacks special tokens and takes new ones (`add_special_tokens`).
    CanAdd,
    /// Its list is closed: an unimportant special token gets the role (assignment).
    CannotAdd,
    /// Puts bos first and has bos, eos and unk of its own, as Llama's: nothing to do.
    LlamaLike,
}

/// What one token of the proposal means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenProposal {
    /// `unk`, `eos` or `pad`.
    pub role: &'static str,
    pub content: String,
    pub id: Option<u32>,
    /// A token that the vocabulary did not have: it needs an embedding row.
    pub new: bool,
}

/// The result: a proven set-up, and how it came about.
#[derive(Debug, Clone)]
pub struct Onboarding {
    pub kind: TokenizerKind,
    /// Why it is of that kind, fact by fact.
    pub reasons: Vec<String>,
    pub tokens: Vec<TokenProposal>,
    pub warnings: Vec<String>,
    /// What was changed from the set-up it began with.
    pub fix: Fix,
    pub setup: LlavaSetup,
    /// The difference of the lengths under the proposal: zero at 1 to 5 rounds, text and image.
    pub delta_fits: DeltaFits,
    /// The proposal on the user's samples.
    pub effect: ChangeEffect,
    /// How these end under the set-up as it was, and under the proposal.
    pub before: StatusCounts,
    pub after: StatusCounts,
    /// Samples that no rule can label right, by index.
    pub left_over: Vec<usize>,
}

/// The set-up that onboarding and a patch are for.
///
/// # Errors
/// [`Error::Usage`] with a chat template: the guide and the patch are of LLaVA's code.
pub fn llava_setup(setup: &Setup) -> Result<LlavaSetup> {
    setup.to_llava().ok_or_else(|| {
        Error::Usage(format!(
            "onboard and patch write LLaVA's templates and rules; with {} there is nothing to write",
            setup.template_name()
        ))
    })
}

/// Works out and proves a set-up for a tokenizer, starting from `setup`. `plain` of stage 1 stays as it is.
///
/// # Errors
/// [`Error::Usage`] when no combination works: the message says how many were tried.
pub fn onboard(setup: &LlavaSetup, samples: &[Sample]) -> Result<Onboarding> {
    let (kind, reasons) = kind_of(&setup.tokenizer);
    let tried: Vec<&Sample> = samples.iter().take(TRIED).collect();
    let search = fix_search(setup, &tried);
    let search = if search.best.is_some() { search } else { fix_search(setup, &[]) };
    let fix = chosen(setup, search).ok_or_else(|| {
        Error::Usage(format!(
            "no combination of rule, separator and tokens works for {}",
            setup.tokenizer.name
        ))
    })?;
    let (proposal, _) = fix.apply(setup, samples)?;
    let all: Vec<usize> = (0..samples.len()).collect();
    let effect = what_if(setup, &fix, samples, &all)?;
    let (before, after) = (inspect_all(setup, samples), inspect_all(&proposal, samples));
    let is_wrong = |(_, inspection): &(usize, &Inspection)| !label_verdict(&proposal, inspection).is_right();
    let left_over = after.iter().enumerate().filter(is_wrong).map(|(index, _)| index).collect();
    let tokens = proposed_tokens(setup, &proposal);
    let warnings = warnings(&proposal, &tokens);
    Ok(Onboarding {
        kind,
        reasons,
        tokens,
        warnings,
        delta_fits: DeltaFits::measure(&proposal),
        setup: proposal,
        fix,
        effect,
        before: StatusCounts::of(&before),
        after: StatusCounts::of(&after),
        left_over,
    })
}

/// Samples that take part in the search.
const TRIED: usize = 48;

/// The smallest working change, but one with a pad of its own before one that pads with eos.
fn chosen(setup: &LlavaSetup, search: Search) -> Option<Fix> {
    let mut working: Vec<Fix> = search.best.into_iter().chain(search.others).collect();
    let own_pad = |fix: &Fix| fix.apply(setup, &[]).is_ok_and(|(setup, _)| pad_is_distinct(&setup.tokenizer));
    let at = working.iter().position(own_pad).unwrap_or(0);
    (at < working.len()).then(|| working.swap_remove(at))
}

fn inspect_all(setup: &LlavaSetup, samples: &[Sample]) -> Vec<Inspection> {
    samples.par_iter().map(|sample| setup.inspect(sample)).collect()
}

/// The kind of a tokenizer, with the facts that decide it.
pub fn kind_of(tokenizer: &Tokenizer) -> (TokenizerKind, Vec<String>) {
    let adds_bos = tokenizer.ids_around_text().is_ok_and(|around| !around.before.is_empty());
    let role = |role: Role| match tokenizer.special.get(role) {
        Some(token) => format!("{} is {:?}", role.name(), token.content),
        None => format!("{} is not set", role.name()),
    };
    let mut reasons = vec![
        format!("it puts {} before a text", if adds_bos { "bos" } else { "nothing" }),
        role(Role::Unk),
        role(Role::Eos),
    ];
    if adds_bos && unk_is_distinct(tokenizer) && tokenizer.special.get(Role::Eos).is_some() {
        return (TokenizerKind::LlamaLike, reasons);
    }
    if tokenizer.facts.can_add_tokens {
        reasons.push(format!("{} takes new special tokens", tokenizer.facts.name));
        return (TokenizerKind::CanAdd, reasons);
    }
    // Qwen's first class has a closed list, but it knows the token that the guide adds, and takes that.
    if tokenizer.token_to_id(NEW_TOKEN).is_some() {
        reasons.push(format!(
            "the list of special tokens of {} is closed, but add_special_tokens takes {NEW_TOKEN}, which is in it",
            tokenizer.facts.name
        ));
        return (TokenizerKind::CanAdd, reasons);
    }
    reasons.push(format!("the list of special tokens of {} is closed", tokenizer.facts.name));
    (TokenizerKind::CannotAdd, reasons)
}

/// The tokens that the proposal gives to roles, new or not.
fn proposed_tokens(before: &LlavaSetup, after: &LlavaSetup) -> Vec<TokenProposal> {
    let (old, new) = (&before.tokenizer, &after.tokenizer);
    let changed = [Role::Unk, Role::Eos, Role::Pad].into_iter();
    changed
        .filter_map(|role| {
            let token = new.special.get(role)?;
            Some(TokenProposal {
                role: role.name(),
                content: token.content.clone(),
                id: new.role_id(role),
                new: before.base.token_to_id(&token.content).is_none()
                    || old.token_to_id(&token.content).is_none(),
            })
        })
        .collect()
}

fn warnings(proposal: &LlavaSetup, tokens: &[TokenProposal]) -> Vec<String> {
    let mut warnings = Vec::new();
    let rows = proposal.tokenizer.embedding_rows;
    let has_row = |id: Option<u32>| {
        rows.zip(id).is_some_and(|(rows, id)| usize::try_from(id).is_ok_and(|id| id < rows))
    };
    let mut seen = std::collections::BTreeSet::new();
    for token in tokens.iter().filter(|t| t.new && !has_row(t.id) && seen.insert(t.id)) {
        warnings.push(format!(
            "{} is new (id {}): the embedding needs at least {} rows; compare config.json's vocab_size, and call \
             model.resize_token_embeddings(len(tokenizer)) if it has fewer",
            token.content,
            token.id.map_or("none".to_string(), |id| id.to_string()),
            token.id.map_or(0, |id| u64::from(id) + 1),
        ));
    }
    if !pad_is_distinct(&proposal.tokenizer) {
        warnings.push("pad is eos: every eos of a conversation gets attention 0 in a batch".to_string());
    }
    warnings
}

/// All tokens that the proposal gives to roles, those of the set-up first; a role that both name keeps the later one.
pub fn proposal_tokens(setup: &LlavaSetup, onboarding: &Onboarding) -> Vec<(Role, TokenChoice)> {
    let new = token_changes(&onboarding.fix);
    let mut tokens = setup.overrides.clone();
    tokens.retain(|(role, _)| !new.iter().any(|(other, _)| other == role));
    // A copy of a role must follow the role it copies.
    let (copies, own): (Vec<_>, Vec<_>) =
        tokens.into_iter().chain(new).partition(|(_, choice)| matches!(choice, TokenChoice::CopyOf(_)));
    own.into_iter().chain(copies).collect()
}

/// The tokens that a fix gives to roles, in its order.
pub fn token_changes(fix: &Fix) -> Vec<(Role, TokenChoice)> {
    let tokens = fix.changes.iter().filter_map(|change| match change {
        Change::Token(role, choice) => Some((*role, choice.clone())),
        _ => None,
    });
    tokens.collect()
}
