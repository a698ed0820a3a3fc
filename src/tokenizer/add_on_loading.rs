//! Which tokens a class adds when it is loaded, and in which order: ids of new tokens depend on it.

use std::collections::BTreeSet;

use super::config::InitArguments;
use super::loaded::Tokenizer;
use super::release::Release;
use super::special::{Role, SpecialToken};
use crate::error::Result;

/// A slow class.
///
/// From 4.34 on the table of the files comes first, then special tokens that are not in it, in the order of roles. In
/// 4.31 tokens of `special_tokens_map.json` replace the class's own, then come the added tokens one by one, then all
/// special tokens again.
pub fn slow(tokenizer: &mut Tokenizer, arguments: &mut InitArguments) -> Result<()> {
    if tokenizer.facts.release == Release::V4_31 {
        for (role, token) in &arguments.assigned_later {
            tokenizer.special.set(*role, Some(token.clone()));
        }
        let contents: Vec<String> = arguments.added_file.iter().map(|(content, _)| content.clone()).collect();
        tokenizer.add_one_by_one_4_31(&contents)?;
        return tokenizer.add_tokens(&all_special(tokenizer), true);
    }
    for (id, token) in &arguments.added {
        tokenizer.added.insert(*id, token.clone());
    }
    let mut missing = all_special(tokenizer);
    missing.retain(|token| tokenizer.added.id_of(&token.content).is_none());
    tokenizer.add_tokens(&missing, true)
}

/// A fast class of 4.x.
///
/// From 4.34 on: tokens of the configuration that `tokenizer.json` lacks, then special tokens without an entry. In 4.31:
/// the tokens of `added_tokens.json` in their order, then all special tokens again, flags included.
pub fn fast(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    if tokenizer.facts.release == Release::V4_31 {
        let tokens: Vec<SpecialToken> =
            arguments.added_file.iter().map(|(content, _)| SpecialToken::from_str(content)).collect();
        add_in_runs(tokenizer, &tokens)?;
        return tokenizer.add_tokens(&all_special(tokenizer), true);
    }
    // 4.37 adds all of them again; those that are additional special tokens become special by it.
    let mut wanted: Vec<SpecialToken> = arguments.added.values().cloned().collect();
    for token in tokenizer.special.all() {
        // Only strings are looked up; an `AddedToken` equals no string, so it is added again, with its own flags.
        let known = token.plain_str && tokenizer.added.id_of(&token.content).is_some();
        if !known && !wanted.iter().any(|t| t.content == token.content) {
            wanted.push(token.clone());
        }
    }
    add_in_runs(tokenizer, &wanted)
}

/// Adds tokens in their order: each run of special or of ordinary ones together, as Python does.
fn add_in_runs(tokenizer: &mut Tokenizer, tokens: &[SpecialToken]) -> Result<()> {
    let roles = tokenizer.special.clone();
    let is_special = |t: &SpecialToken| (t.special && !t.plain_str) || roles.contains(&t.content);
    for run in tokens.chunk_by(|a, b| is_special(a) == is_special(b)) {
        tokenizer.add_tokens(run, run.first().is_some_and(is_special))?;
    }
    Ok(())
}

/// A class of 5.x: tokens of the files in id order, then special tokens without an entry, added as one list.
pub fn v5(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    let mut wanted: Vec<SpecialToken> = arguments.added.values().cloned().collect();
    let mut known: BTreeSet<String> = tokenizer.added.iter().map(|(_, t)| t.content.clone()).collect();
    known.extend(wanted.iter().map(|t| t.content.clone()));
    for token in tokenizer.special.all() {
        if known.insert(token.content.clone()) {
            wanted.push(match token.plain_str {
                true => SpecialToken::added(&token.content, false, true),
                false => token.clone(),
            });
        }
    }
    for token in &mut wanted {
        token.special |= Role::ALL
            .into_iter()
            .any(|r| tokenizer.special.get(r).is_some_and(|t| t.content == token.content));
    }
    tokenizer.add_tokens_with_flags(&wanted)
}

/// All special tokens once more, without flags: some classes of 5.x do that.
pub fn special_again(tokenizer: &mut Tokenizer) -> Result<()> {
    let mut all = all_special(tokenizer);
    for token in &mut all {
        *token = SpecialToken::added(&token.content, false, true);
    }
    tokenizer.add_tokens_with_flags(&all)
}

fn all_special(tokenizer: &Tokenizer) -> Vec<SpecialToken> {
    tokenizer.special.all().into_iter().cloned().collect()
}
