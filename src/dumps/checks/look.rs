//! One row, looked at by itself.

use crate::dumps::convention::{Convention, LabelForm, Packing};
use crate::dumps::fed::FedRow;
use crate::dumps::row::DumpRow;
use crate::dumps::token_facts::TokenFacts;

/// Faults that a row shows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowHit {
    OffByOne,
    NothingSupervised,
    PadSupervised,
    MediaSupervised,
    CrossesDocuments,
    PositionsNotReset,
    AttentionOverPad,
    BeyondVocabulary,
    Unfitting,
}

/// A set of faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowHits(u16);

impl RowHits {
    pub(super) const COUNT: usize = Self::ALL.len();
    pub(super) const ALL: [RowHit; 9] = [
        RowHit::OffByOne,
        RowHit::NothingSupervised,
        RowHit::PadSupervised,
        RowHit::MediaSupervised,
        RowHit::CrossesDocuments,
        RowHit::PositionsNotReset,
        RowHit::AttentionOverPad,
        RowHit::BeyondVocabulary,
        RowHit::Unfitting,
    ];

    /// Whether the row has a fault.
    pub fn has(self, hit: RowHit) -> bool {
        self.0 & (1 << hit.index()) != 0
    }
}

impl RowHit {
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// What a row leaves behind.
#[derive(Debug, Clone, Default)]
pub struct RowLook {
    pub hits: RowHits,
    pub tokens: u64,
    pub content: u64,
    pub supervised: u64,
    pub documents: u64,
    pub labelled: bool,
    pub has_attention: bool,
    pub has_positions: bool,
    /// Answers whose end is supervised, and those whose end stands behind what is supervised.
    pub closed: usize,
    pub open: usize,
    /// A document ends within an answer.
    pub unclosed: bool,
    /// Of ids and labels without padding.
    pub hash: u64,
    evidence: Vec<(RowHit, String)>,
}

impl RowLook {
    fn hit(&mut self, hit: RowHit, evidence: impl FnOnce() -> String) {
        if !self.hits.has(hit) {
            self.hits.0 |= 1 << hit.index();
            self.evidence.push((hit, evidence()));
        }
    }

    /// What a fault was seen by.
    pub fn evidence_of(&self, hit: RowHit) -> String {
        self.evidence.iter().find(|(known, _)| *known == hit).map_or(String::new(), |(_, text)| text.clone())
    }
}

pub(super) fn look(convention: &Convention, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) -> RowLook {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let mut look = RowLook {
        tokens: count(row.ids.len()),
        content: count(fed.content.len()),
        supervised: count(fed.supervised()),
        documents: count(fed.documents.len()),
        labelled: row.labels.is_some() || row.mask.is_some() || row.prompt_len.is_some(),
        has_attention: row.attention_mask.is_some(),
        has_positions: row.position_ids.is_some(),
        hash: hash(row, fed),
        ..RowLook::default()
    };
    labels(&mut look, convention, row, fed);
    tokens(&mut look, convention, row, fed, facts);
    answers(&mut look, row, fed, facts);
    documents(&mut look, convention, row, fed, facts);
    attention(&mut look, convention, row, fed, facts);
    look
}

fn labels(look: &mut RowLook, convention: &Convention, row: &DumpRow, fed: &FedRow) {
    let name = row.place.name();
    let late = convention.labels == LabelForm::Late && fed.supervised() > 0;
    if let Some(form) = fed.deviates.or(late.then_some(LabelForm::Late)) {
        look.hit(RowHit::OffByOne, || {
            format!("row {name} has {}, the file {}", form.name(), convention.labels.name())
        });
    }
    // The first token of a row is predicted by nothing.
    let supervised = fed.supervised() - usize::from(fed.first_is_supervised);
    if look.labelled && supervised == 0 {
        look.hit(RowHit::NothingSupervised, || format!("row {name}, {} tokens", row.ids.len()));
    }
    if let Some(fault) = row.faults.first() {
        look.hit(RowHit::Unfitting, || format!("row {name}: {fault}"));
    }
    let short = |len: usize| len != row.ids.len() && len + 1 != row.ids.len();
    if let Some(labels) = row.labels.as_ref().filter(|labels| short(labels.values.len())) {
        let (key, len) = (&labels.key, labels.values.len());
        look.hit(RowHit::Unfitting, || {
            format!("row {name}: {key} has {len} numbers for {} ids", row.ids.len())
        });
    }
    if let Some(mask) = row.mask.as_ref().filter(|mask| mask.values.len() > row.ids.len()) {
        let (key, len) = (&mask.key, mask.values.len());
        look.hit(RowHit::Unfitting, || {
            format!("row {name}: {key} has {len} numbers for {} ids", row.ids.len())
        });
    }
}

fn tokens(look: &mut RowLook, convention: &Convention, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) {
    let name = row.place.name();
    let pad = convention.pad_id.or(facts.pad);
    for (at, id) in row.ids.iter().enumerate() {
        if fed.is_supervised(at) {
            let is_pad = Some(*id) == pad && !facts.is_end(*id);
            if !fed.content.contains(&at) && !is_hidden_end(fed, facts, at, *id) || is_pad {
                look.hit(RowHit::PadSupervised, || format!("row {name}, token {at}: id {id}"));
            }
            if facts.is_media(*id) {
                look.hit(RowHit::MediaSupervised, || format!("row {name}, token {at}: id {id}"));
            }
        }
        if facts.has_vocabulary() && (facts.is_beyond(*id) || facts.is_without_token(*id)) {
            let why = if facts.is_beyond(*id) { "lies beyond the vocabulary" } else { "has no token" };
            look.hit(RowHit::BeyondVocabulary, || format!("row {name}, token {at}: id {id} {why}"));
        }
    }
}

/// The end of an answer that attention does not see, because the class fills up with the same token.
fn is_hidden_end(fed: &FedRow, facts: &TokenFacts, at: usize, id: i64) -> bool {
    at == fed.content.end && facts.is_end(id)
}

/// Whether answers end with the token that ends one.
fn answers(look: &mut RowLook, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) {
    if facts.ends.is_empty() || !look.labelled {
        return;
    }
    let id = |at: usize| row.ids.get(at).copied();
    // Padding that is supervised is no answer.
    for run in fed.runs().into_iter().filter(|run| fed.content.contains(&run.start)) {
        // What closes a run may have blanks behind it, which the template writes.
        let last = run.clone().rev().find(|at| id(*at).is_some_and(|id| !facts.is_blank(id)));
        let closed = last.and_then(id).is_some_and(|id| facts.is_end(id));
        let document = fed.documents.iter().find(|document| document.contains(&run.start));
        let end = document.map_or(fed.content.end, |document| document.end);
        look.closed += usize::from(closed);
        if !closed && run.end < end {
            look.open += usize::from(id(run.end).is_some_and(|id| facts.is_end(id)));
        }
        look.unclosed |= !closed && run.end >= end && run.end > run.start;
    }
}

fn documents(look: &mut RowLook, convention: &Convention, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) {
    let name = row.place.name();
    for document in fed.documents.iter().skip(1) {
        let start = document.start;
        if fed.is_supervised(start) {
            look.hit(RowHit::CrossesDocuments, || {
                format!("row {name}, token {start}: the first of a document")
            });
        }
    }
    let Some(positions) = &row.position_ids else { return };
    let told = !matches!(convention.packing, Packing::None | Packing::Positions);
    let starts: Vec<usize> = match told {
        true => fed.documents.iter().skip(1).map(|document| document.start).collect(),
        // A begin behind an end: the token that only the begin of a text has.
        false => {
            let begins = |at: &usize| {
                let before = at.checked_sub(1).and_then(|at| row.ids.get(at));
                row.ids.get(*at).copied() == facts.bos && before.is_some_and(|id| facts.is_end(*id))
            };
            let known = facts.bos.is_some_and(|bos| !facts.is_end(bos));
            (fed.content.start + 1..fed.content.end).filter(|at| known && begins(at)).collect()
        }
    };
    if let Some((at, position)) =
        starts.iter().find_map(|at| positions.get(*at).filter(|position| **position != 0).map(|p| (*at, *p)))
    {
        look.hit(RowHit::PositionsNotReset, || {
            format!("row {name}, token {at}: a document begins at position {position}")
        });
    }
}

fn attention(look: &mut RowLook, convention: &Convention, row: &DumpRow, fed: &FedRow, facts: &TokenFacts) {
    let (Some(mask), name) = (&row.attention_mask, row.place.name()) else { return };
    let pad = convention.pad_id.or(facts.pad);
    let attended = |at: &usize| {
        mask.get(*at).is_some_and(|seen| *seen != 0) && pad.is_some() && row.ids.get(*at).copied() == pad
    };
    let tokens = row.ids.len();
    let behind = (0..tokens).rev().take_while(attended).count();
    let before = (0..tokens).take_while(attended).count();
    // A pad that also ends answers, or begins texts, stands there once rightly.
    let is_end = pad.is_some_and(|pad| facts.is_end(pad));
    let is_begin = pad.is_some() && pad == facts.bos;
    let over = behind.saturating_sub(usize::from(is_end)) + before.saturating_sub(usize::from(is_begin));
    if over > 0 && tokens > over {
        look.hit(RowHit::AttentionOverPad, || format!("row {name}: {over} pad tokens are attended to"));
    }
    // Padding that is supervised has a check of its own.
    let seen_as_text = |at: usize| {
        fed.content.contains(&at) || row.ids.get(at).is_some_and(|id| is_hidden_end(fed, facts, at, *id))
    };
    let hidden = |at: &usize| fed.is_supervised(*at) && mask.get(*at) == Some(&0) && seen_as_text(*at);
    if let Some(at) = (0..tokens).find(hidden) {
        look.hit(RowHit::AttentionOverPad, || {
            format!("row {name}, token {at} is supervised, and attention_mask hides it")
        });
    }
}

/// Of the content, to tell rows that are there twice.
fn hash(row: &DumpRow, fed: &FedRow) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, value: i64| (hash.rotate_left(5) ^ value.cast_unsigned()).wrapping_mul(FACTOR);
    let ids = row.ids.get(fed.content.clone()).unwrap_or_default();
    let labels = fed.labels.get(fed.content.clone()).unwrap_or_default();
    ids.iter().chain(labels).fold(FACTOR, |hash, value| mix(hash, *value))
}
