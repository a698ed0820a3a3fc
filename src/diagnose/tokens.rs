//! Which token can serve as pad: special, no part of any text, and without a new row in the embedding.

use std::collections::BTreeSet;

use super::probe::is_one_token;
use crate::tokenizer::{Role, TokenId, Tokenizer};

/// Reserved tokens that models ship unused, the best first.
const RESERVED: &[&str] = &[
    "<|extra_0|>",
    "<|reg0|>",
    "<|fim_pad|>",
    "<|reserved_special_token_0|>",
    "<|finetune_right_pad_id|>",
    "<unused0>",
    "<pad>",
    "[PAD]",
    "<|vision_pad|>",
    "<|pad|>",
];

/// Usual names of unk.
const UNKNOWN: &[&str] = &["<unk>", "[UNK]"];

/// Name of a token that no vocabulary is likely to have, for classes that can add.
pub const NEW_TOKEN: &str = "<|extra_0|>";

/// A token that neither the vocabulary nor a role has, for pad alone. 4.31's slow classes give a new *unk* no id, as
/// they take every unknown token for unk; a new pad gets one.
pub fn new_pad(tokenizer: &Tokenizer) -> Option<&'static str> {
    let unk = tokenizer.special.get(Role::Unk);
    let is_free =
        |name: &&str| tokenizer.token_to_id(name).is_none() && unk.is_none_or(|unk| unk.content != **name);
    [NEW_TOKEN, "<|pad|>"].into_iter().find(is_free).filter(|_| tokenizer.facts.can_add_tokens)
}

/// A proposal for a role's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    pub content: String,
    /// `None` for a token that must be added.
    pub id: Option<TokenId>,
}

/// Tokens that could be pad, the best first: those that exist, then one to add if the class can.
pub fn spare_tokens(tokenizer: &Tokenizer) -> Vec<Spare> {
    // A vocabulary may have an unk that its configuration does not name.
    let unk = if tokenizer.special.get(Role::Unk).is_none() { UNKNOWN } else { &[] };
    let special = special_names(tokenizer);
    let unk = unk.iter().filter(|name| special.contains(**name));
    let known = unk.chain(RESERVED).map(|t| t.to_string());
    let names = known.chain(ranked(tokenizer).into_iter().map(|(_, token)| token.content));
    let mut spare: Vec<Spare> = Vec::new();
    for content in names {
        let Some(id) = tokenizer.token_to_id(&content) else { continue };
        let known = spare.iter().any(|s| s.id == Some(id));
        if !known && !has_a_job(tokenizer, id) && is_one_token(tokenizer, &content) {
            spare.push(Spare { content, id: Some(id) });
        }
        if spare.len() == 3 {
            break;
        }
    }
    if tokenizer.facts.can_add_tokens && tokenizer.token_to_id(NEW_TOKEN).is_none() {
        spare.push(Spare { content: NEW_TOKEN.to_string(), id: None });
    }
    spare
}

/// A special token that no role uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    pub content: String,
    pub id: TokenId,
    /// Why it may be reused, and what speaks against it.
    pub reason: &'static str,
}

/// Special tokens that no role uses, the best for reuse first: those that are named as spare, then the others by id.
/// Tokens that end or begin something in a chat, or stand for an image, are left out: the model uses them.
pub fn reserved_tokens(tokenizer: &Tokenizer) -> Vec<Reserved> {
    let is_free =
        |t: &Reserved| tokenizer.roles_of(t.id).next().is_none() && is_one_token(tokenizer, &t.content);
    ranked(tokenizer).into_iter().map(|(_, token)| token).filter(is_free).collect()
}

/// Special tokens whose name says that no text has them, with the rank of their kind, the best first.
fn ranked(tokenizer: &Tokenizer) -> Vec<(usize, Reserved)> {
    let kind = |(id, content): (TokenId, String)| {
        let name = content.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let (rank, (_, reason)) = RANKED.iter().enumerate().find(|(_, (parts, _))| has(parts))?;
        (!has(&MEDIA)).then_some((rank, Reserved { content, id, reason }))
    };
    let mut ranked: Vec<(usize, Reserved)> =
        tokenizer.special_surfaces().into_iter().filter_map(kind).collect();
    ranked.sort_by_key(|(rank, token)| (*rank, token.id));
    ranked
}

/// Parts of names of tokens that stand for pictures and sound: models use them.
const MEDIA: [&str; 4] = ["image", "vision", "video", "audio"];

/// Parts of names, the best kind first, with the reason.
const RANKED: &[(&[&str], &str)] = &[
    (&["reserved", "unused", "placeholder", "extra"], "set aside by its makers: nothing was trained on it"),
    (&["reg"], "a register of StableLM: not part of texts"),
    (&["pad"], "made for padding: the loss never saw it"),
    (
        &["fim", "prefix", "suffix", "middle", "repo", "file_sep", "issue", "jupyter", "gh_", "commit"],
        "for code models: only in code that is filled in",
    ),
];

/// True for bos and eos, which mean something in a text.
fn has_a_job(tokenizer: &Tokenizer, id: TokenId) -> bool {
    [Role::Bos, Role::Eos].iter().any(|role| tokenizer.role_id(*role) == Some(id))
}

/// True when the class has an unk that is a token of its own, as Llama's classes have.
pub fn unk_is_distinct(tokenizer: &Tokenizer) -> bool {
    tokenizer.role_id(Role::Unk).is_some_and(|id| !has_a_job(tokenizer, id))
}

/// True when pad is there and is no token with another job.
pub fn pad_is_distinct(tokenizer: &Tokenizer) -> bool {
    tokenizer.role_id(Role::Pad).is_some_and(|id| !has_a_job(tokenizer, id))
}

/// The token that should end answers: eos, or where none is named the usual one if the vocabulary has it, one that it
/// marks as special before one that is an ordinary piece.
pub fn stop_token(tokenizer: &Tokenizer) -> Option<String> {
    if let Some(eos) = tokenizer.special.get(Role::Eos) {
        return Some(eos.content.clone());
    }
    let usual = ["<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>"];
    let special = special_names(tokenizer);
    let marked = usual.into_iter().find(|t| special.contains(*t) && is_one_token(tokenizer, t));
    marked.or_else(|| usual.into_iter().find(|t| is_one_token(tokenizer, t))).map(str::to_string)
}

/// Tokens that the vocabulary marks as special, with a role or without.
fn special_names(tokenizer: &Tokenizer) -> BTreeSet<String> {
    tokenizer.special_surfaces().into_iter().map(|(_, content)| content).collect()
}
