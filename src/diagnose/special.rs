//! The whole truth about a tokenizer's special tokens: what the table of roles does not say by itself.
//!
//! Holes and ids beyond `len`, roles that share an id, what bos and eos really do, whether the template's separator
//! is one token, whether every id has an embedding row, and which reserved tokens are free for reuse.

use std::collections::BTreeMap;

use super::tokens::{Reserved, reserved_tokens};
use crate::labelling::Labelling;
use crate::setup::Setup;
use crate::tokenizer::{IdStatistics, Role, SpecialToken, TokenId, Tokenizer};

/// How much a note weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenVerdict {
    Note,
    Warn,
    Error,
}

impl TokenVerdict {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One fact that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenNote {
    pub weight: TokenVerdict,
    pub text: String,
}

/// A special or added token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    pub id: TokenId,
    pub content: String,
    /// Its flags; `None` for one of a closed list, which has none.
    pub flags: Option<SpecialToken>,
    pub roles: Vec<Role>,
}

/// How the template's last separator comes out as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeparatorTruth {
    pub text: String,
    /// Its ids behind a word, where answers end.
    pub ids: Vec<TokenId>,
    pub is_eos: bool,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct TokenReport {
    pub id_statistics: IdStatistics,
    /// Rows of the model's embedding; `None` where no config.json was there.
    pub embedding_rows: Option<usize>,
    /// Ids that several roles share.
    pub shared: Vec<(TokenId, Vec<Role>)>,
    pub separator: Option<SeparatorTruth>,
    /// All special and added tokens by id.
    pub tokens: Vec<ListedToken>,
    /// Special tokens that no role uses, the best for reuse first.
    pub reserved: Vec<Reserved>,
    /// Heaviest first.
    pub notes: Vec<TokenNote>,
}

/// Looks at the tokenizer of a set-up, overrides included. Linear in the vocabulary: call it off the drawing thread.
pub fn token_report(setup: &Setup) -> TokenReport {
    let tokenizer = &*setup.tokenizer;
    let id_statistics = tokenizer.id_statistics();
    let mut shared: Vec<(TokenId, Vec<Role>)> = Vec::new();
    for role in Role::ALL {
        let Some(id) = tokenizer.role_id(role) else { continue };
        match shared.iter_mut().find(|(known, _)| *known == id) {
            Some((_, roles)) => roles.push(role),
            None => shared.push((id, vec![role])),
        }
    }
    shared.retain(|(_, roles)| roles.len() > 1);
    let mut token_report = TokenReport {
        embedding_rows: tokenizer.embedding_rows,
        separator: separator(setup),
        tokens: listed(tokenizer),
        reserved: reserved_tokens(tokenizer),
        notes: Vec::new(),
        id_statistics,
        shared,
    };
    token_report.notes = notes(setup, &token_report);
    token_report
}

fn listed(tokenizer: &Tokenizer) -> Vec<ListedToken> {
    let mut all: BTreeMap<TokenId, ListedToken> = BTreeMap::new();
    let added = tokenizer.added.iter().map(|(id, token)| (id, token.content.clone(), Some(token.clone())));
    let closed = tokenizer.special_surfaces().into_iter().map(|(id, content)| (id, content, None));
    for (id, content, flags) in added.chain(closed) {
        let roles = || tokenizer.roles_of(id).collect();
        all.entry(id).or_insert_with(|| ListedToken { id, content, flags, roles: roles() });
    }
    all.into_values().collect()
}

/// The separator as it stands behind an answer: a token there may join with what comes before it.
fn separator(setup: &Setup) -> Option<SeparatorTruth> {
    let text = match &setup.labelling {
        Labelling::Chat(method) => method.markers(&*setup.tokenizer).ok()?.end_of_turn,
        Labelling::Llava(llava) => llava.template.sep2.clone(),
        // Only the function itself knows what it puts behind an answer.
        Labelling::Repository(_) => None,
    };
    let text = text.filter(|s| !s.is_empty())?;
    let word = "word";
    let alone = setup.tokenizer.encode(word, false).ok()?;
    let with = setup.tokenizer.encode(&format!("{word}{text}"), false).ok()?;
    let same = alone.ids.iter().zip(&with.ids).take_while(|(a, b)| a == b).count();
    let ids: Vec<TokenId> = with.ids.iter().skip(same).copied().collect();
    let is_eos = ids.len() == 1 && ids.first().copied() == setup.tokenizer.role_id(Role::Eos);
    Some(SeparatorTruth { text, ids, is_eos })
}

fn notes(setup: &Setup, token_report: &TokenReport) -> Vec<TokenNote> {
    let tokenizer = &*setup.tokenizer;
    let mut notes = Vec::new();
    let mut say = |weight, text: String| notes.push(TokenNote { weight, text });
    let id = |role| tokenizer.role_id(role);
    let content = |role| tokenizer.special.get(role).map_or("None".to_string(), |t| t.content.clone());
    if id(Role::Pad).is_some() && id(Role::Pad) == id(Role::Eos) {
        let pad = content(Role::Pad);
        match setup.chat() {
            Some(_) => say(
                TokenVerdict::Warn,
                format!("pad equals eos ({pad}): a collator that masks pad ids never teaches the stop"),
            ),
            None => say(
                TokenVerdict::Error,
                format!("pad equals eos ({pad}): EOS tokens are not counted in total_len"),
            ),
        }
    }
    if id(Role::Pad).is_none() {
        say(TokenVerdict::Warn, "pad is None: the training code compares every id with it".to_string());
    }
    if tokenizer.special.get(Role::Unk).is_none() && setup.llava().is_some() {
        let text = "unk is None: `pad_token = unk_token` of the training code leaves pad without a token";
        say(TokenVerdict::Warn, text.to_string());
    }
    if let Some(separator) = &token_report.separator {
        let name = if setup.chat().is_some() { "the end of a turn," } else { "sep2" };
        match separator.ids.as_slice() {
            _ if separator.is_eos => {}
            [_] => say(
                TokenVerdict::Warn,
                format!("{name} {} is one token, but not eos ({})", separator.text, content(Role::Eos)),
            ),
            ids => say(
                TokenVerdict::Error,
                format!("{name} {} is not atomic: {} ids {ids:?}", separator.text, ids.len()),
            ),
        }
    }
    around(setup, token_report, &mut say);
    sizes(setup, token_report, &mut say);
    notes.sort_by_key(|r| std::cmp::Reverse(r.weight));
    notes
}

/// What is declared about bos and eos against what encoding a text shows.
fn around(setup: &Setup, token_report: &TokenReport, say: &mut impl FnMut(TokenVerdict, String)) {
    let tokenizer = &*setup.tokenizer;
    let facts = &tokenizer.facts;
    let sides = [
        (Role::Bos, facts.add_bos_token, &token_report.id_statistics.around.before, "before"),
        (Role::Eos, facts.add_eos_token, &token_report.id_statistics.around.behind, "behind"),
    ];
    for (role, declared, put, side) in sides {
        let really = tokenizer.role_id(role).is_some_and(|id| put.contains(&id));
        let name = role.name();
        if declared == Some(true) && !really {
            say(TokenVerdict::Warn, format!("add_{name}_token is true, but no {name} is put {side} a text"));
        }
        if declared == Some(false) && really {
            say(
                TokenVerdict::Warn,
                format!("add_{name}_token is false, but {name} is put {side} every text"),
            );
        }
        let others: Vec<TokenId> =
            put.iter().copied().filter(|id| Some(*id) != tokenizer.role_id(role)).collect();
        if !others.is_empty() {
            say(
                TokenVerdict::Note,
                format!("ids {others:?}, which are not {name}, are put {side} every text"),
            );
        }
    }
}

/// Ids against `len` and against the embedding.
fn sizes(setup: &Setup, token_report: &TokenReport, say: &mut impl FnMut(TokenVerdict, String)) {
    let tokenizer = &*setup.tokenizer;
    let len = tokenizer.len();
    let top =
        token_report.id_statistics.max_id.and_then(|id| usize::try_from(id).ok()).map_or(0, |id| id + 1);
    if !token_report.id_statistics.holes.is_empty() {
        let ids: usize = token_report.id_statistics.holes.iter().map(ExactSizeIterator::len).sum();
        let number = if ids == 1 { "1 id".to_string() } else { format!("{ids} ids") };
        let have = if ids == 1 { "has" } else { "have" };
        say(TokenVerdict::Note, format!("{number} below {top} {have} no token; len is {len}"));
    }
    if !token_report.id_statistics.beyond_len.is_empty() {
        let text = format!(
            "{} added tokens have ids from len ({len}) on: a table of `len` rows does not hold them",
            token_report.id_statistics.beyond_len.len()
        );
        say(TokenVerdict::Warn, text);
    }
    let Some(rows) = token_report.embedding_rows else {
        say(TokenVerdict::Note, "no config.json: the number of embedding rows is not known".to_string());
        return;
    };
    if top > rows {
        let text = format!(
            "the largest id {} has no embedding row: config.json names {rows} (resize_token_embeddings({top}) gives it one)",
            top - 1
        );
        say(TokenVerdict::Error, text);
    } else {
        say(TokenVerdict::Note, format!("{} embedding rows beyond the largest id are unused", rows - top));
    }
}
