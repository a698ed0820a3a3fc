//! One inspected sample, ready to be looked at: sections, what is special, where claim and truth part.
//!
//! Built once for each inspection, off the drawing thread; everything here is linear in the number of tokens.
//! What a frame needs beyond that is worked out for its window only ([`super::flow`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::turns::{PromptTurn, Speaker, prompt_turns};
use crate::chat::Sample;
use crate::diagnose::{PairedRound, RecordAccount, align_tokens, causes_of, tokens_before};
use crate::labels::{IGNORE_INDEX, IMAGE_TOKEN_INDEX, Inspection, Labelled, LoopEnd, TokenLabel};
use crate::repository::{CodeListing, listing};
use crate::setup::Setup;
use crate::tokenizer::{Role, TokenId};

/// A run of tokens of one speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub speaker: Speaker,
    /// Round counted from 0; `None` for the system text.
    pub round: Option<usize>,
    /// Index of the turn in the sample's conversation.
    pub turn: Option<usize>,
    /// An answer that calls tools.
    pub calls: bool,
    pub tokens: Range<usize>,
    pub supervised: usize,
    pub truncated: usize,
    pub discarded: usize,
}

impl Section {
    /// As screens name it: `system`, `round 1 USER`, `round 1 CALL`.
    pub fn name(&self) -> String {
        let speaker = if self.calls { "CALL" } else { self.speaker.name() };
        match (self.speaker, self.round) {
            (Speaker::System, _) | (_, None) => speaker.to_string(),
            (_, Some(round)) => format!("round {} {speaker}", round + 1),
        }
    }
}

/// Longer samples are not aligned: encoding every round once more would show.
const PAIRED_UP_TO: usize = 100_000;

/// One token as the screens need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenState {
    pub id: i64,
    pub label: TokenLabel,
    pub kind: TokenKind,
}

/// What marks a token out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Ordinary,
    /// Stands for an image.
    Image,
    /// An added or special token.
    Special,
    /// A special token whose role an override gave it.
    Overridden,
}

/// A sample with all that is shown of it.
#[derive(Debug, Clone)]
pub struct SampleView {
    /// Position in the list of samples.
    pub index: usize,
    pub setup: Arc<Setup>,
    pub inspection: Inspection,
    pub sections: Vec<Section>,
    pub turns: Vec<PromptTurn>,
    /// Real token range of each round that the rule counted, up to where the next one begins.
    pub real_rounds: Vec<Range<usize>>,
    /// First token of the real answer of each round.
    pub real_answers: Vec<usize>,
    /// Tokens before the first round's text (bos).
    pub real_start: usize,
    /// The first token at which the rule's claim and what is there part.
    pub parts_at: Option<usize>,
    /// The checks of the doctor that explain why the sample is lost or raises; empty for a kept one.
    pub causes: Vec<&'static str>,
    /// What of the record the text does not have, a line each.
    pub not_carried: Vec<String>,
    /// Ids that equal pad, inside the prompt.
    pub pads: Vec<usize>,
    /// Long masked stretches, each inside one section, in order.
    pub folds: Vec<Range<usize>>,
    /// The lines of a repository's label function, with what they counted in this sample.
    pub code: Option<CodeListing>,
    /// Each round's piece as encoded alone, token under token with the prompt; empty where the rule does not count.
    pub paired: Vec<PairedRound>,
    marked: BTreeMap<TokenId, TokenKind>,
}

impl SampleView {
    /// Inspects a sample and works out what the screens show of it.
    pub fn new(setup: Arc<Setup>, index: usize, sample: &Sample) -> Self {
        let inspection = setup.inspect(sample);
        let code = setup.repository().and_then(|repository| {
            let run = repository.function.run(sample).ok()?;
            listing(&repository.function, &run)
        });
        Self { code, ..Self::of(setup, index, sample, inspection) }
    }

    /// The same for an inspection that is there already.
    pub fn of(setup: Arc<Setup>, index: usize, sample: &Sample, inspection: Inspection) -> Self {
        let turns = prompt_turns(sample, &inspection, setup.chat().is_some());
        let mut view = Self {
            index,
            sections: Vec::new(),
            turns,
            real_rounds: Vec::new(),
            real_answers: Vec::new(),
            real_start: 0,
            parts_at: None,
            causes: causes_of(&setup, sample, &inspection),
            not_carried: RecordAccount::of(&setup, sample, &inspection)
                .map(|account| account.lines())
                .unwrap_or_default(),
            pads: Vec::new(),
            folds: Vec::new(),
            code: None,
            paired: Vec::new(),
            marked: marked(&setup),
            setup,
            inspection,
        };
        if let Ok(labelled) = &view.inspection.result {
            let pad = view.setup.tokenizer.role_id(Role::Pad).map(i64::from);
            let ids = labelled.input_ids.iter().enumerate();
            let pads: Vec<usize> = ids.filter(|(_, id)| Some(**id) == pad).map(|(i, _)| i).collect();
            let sections = sections(&view.turns, labelled);
            let (start, rounds, answers) = real_rounds(labelled);
            // The ### rule compares nothing, so that its lengths can differ in a sample that is kept.
            let unchecked = labelled.stop == LoopEnd::NoLoop && labelled.cur_len != labelled.total_len;
            let parts_at = if labelled.mismatch || unchecked {
                first_difference(labelled, start, &rounds, &answers).or_else(|| pads.first().copied())
            } else {
                None
            };
            if labelled.input_ids.len() <= PAIRED_UP_TO && view.setup.chat().is_none() {
                view.paired = align_tokens(&view.setup, &view.inspection);
            }
            view.folds = folds(&sections, labelled);
            (view.sections, view.pads, view.parts_at) = (sections, pads, parts_at);
            (view.real_start, view.real_rounds, view.real_answers) = (start, rounds, answers);
        }
        view
    }

    /// The labels, where the training code gets that far.
    pub fn labelled(&self) -> Option<&Labelled> {
        self.inspection.result.as_ref().ok()
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.labelled().map_or(0, |l| l.input_ids.len())
    }

    /// True when there is no token to show.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// State of token `index`.
    pub fn token(&self, index: usize) -> Option<TokenState> {
        let labelled = self.labelled()?;
        let id = *labelled.input_ids.get(index)?;
        let marked = TokenId::try_from(id).ok().and_then(|id| self.marked.get(&id).copied());
        let kind =
            if id == IMAGE_TOKEN_INDEX { TokenKind::Image } else { marked.unwrap_or(TokenKind::Ordinary) };
        Some(TokenState { id, label: labelled.token_label(index)?, kind })
    }

    /// The section that token `index` lies in, with its position in the list.
    pub fn section_at(&self, index: usize) -> Option<(usize, &Section)> {
        let at = self.sections.partition_point(|s| s.tokens.end <= index);
        self.sections.get(at).filter(|s| s.tokens.contains(&index)).map(|s| (at, s))
    }

    /// Characters (not bytes) of the prompt that token `index` stands for.
    pub fn char_span(&self, index: usize) -> Option<Range<usize>> {
        let span = self.labelled()?.spans.get(index)?;
        let prompt = self.inspection.prompt.as_deref()?;
        let chars = |end: usize| prompt.char_indices().take_while(|(at, _)| *at < end).count();
        Some(chars(span.start)..chars(span.end))
    }
}

/// The ids that screens mark.
fn marked(setup: &Setup) -> BTreeMap<TokenId, TokenKind> {
    let tokenizer = &setup.tokenizer;
    let mut marked: BTreeMap<TokenId, TokenKind> = BTreeMap::new();
    for (id, token) in tokenizer.added.iter() {
        if token.special || tokenizer.special.contains(&token.content) {
            marked.insert(id, TokenKind::Special);
        }
    }
    let roles = Role::ALL.into_iter().filter_map(|role| tokenizer.role_id(role));
    marked.extend(roles.map(|id| (id, TokenKind::Special)));
    let overridden = setup.effects.iter().filter(|e| e.role != Role::Pad).filter_map(|e| e.id);
    marked.extend(overridden.map(|id| (id, TokenKind::Overridden)));
    marked
}

/// First token that reaches beyond byte `at` of the prompt: a token that joins a separator with what follows
/// belongs to what follows.
fn token_at(labelled: &Labelled, at: usize) -> usize {
    if at == 0 {
        return 0;
    }
    tokens_before(&labelled.spans, at)
}

fn sections(turns: &[PromptTurn], labelled: &Labelled) -> Vec<Section> {
    let mut starts = vec![(0, Speaker::System, None, None, false)];
    for turn in turns {
        let at = token_at(labelled, turn.section_start);
        starts.push((at, turn.speaker, Some(turn.round), Some(turn.turn), turn.calls));
    }
    let ends: Vec<usize> =
        starts.iter().skip(1).map(|(start, ..)| *start).chain([labelled.input_ids.len()]).collect();
    let count = |tokens: &Range<usize>, label: TokenLabel| {
        tokens.clone().filter(|index| labelled.token_label(*index) == Some(label)).count()
    };
    starts
        .into_iter()
        .zip(ends)
        .filter(|((start, ..), end)| start < end)
        .map(|((start, speaker, round, turn, calls), end)| {
            let tokens = start..end;
            let supervised = count(&tokens, TokenLabel::Supervised);
            let truncated = count(&tokens, TokenLabel::Truncated);
            let discarded = count(&tokens, TokenLabel::Discarded);
            Section { speaker, round, turn, calls, supervised, truncated, discarded, tokens }
        })
        .collect()
}

/// Masked stretches longer than this fold, with some tokens left at both ends.
pub const FOLD_MIN: usize = 72;
const FOLD_KEEP: usize = 14;

fn folds(sections: &[Section], labelled: &Labelled) -> Vec<Range<usize>> {
    let masked = labelled.segments.iter().filter(|s| {
        let ignored = |i: usize| labelled.labels_before_check.get(i) == Some(&IGNORE_INDEX);
        ignored(s.tokens.start)
    });
    let mut folds = Vec::new();
    for segment in masked {
        for section in sections {
            let start = segment.tokens.start.max(section.tokens.start);
            let end = segment.tokens.end.min(section.tokens.end);
            if end.saturating_sub(start) > FOLD_MIN {
                folds.push(start + FOLD_KEEP..end - FOLD_KEEP);
            }
        }
    }
    folds
}

/// Where the rounds that the rule cut from the prompt really are, in tokens.
fn real_rounds(labelled: &Labelled) -> (usize, Vec<Range<usize>>, Vec<usize>) {
    let len = labelled.input_ids.len();
    let before = labelled.spans.iter().take_while(|s| s.end == 0).count();
    let start_of = |at: usize| if at == 0 { before } else { token_at(labelled, at) };
    let starts: Vec<usize> = labelled.rounds.iter().map(|r| start_of(r.text.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([len]);
    let rounds = starts.iter().copied().zip(ends).map(|(start, end)| start..end.max(start)).collect();
    let answers = labelled.rounds.iter().map(|r| token_at(labelled, r.instruction_text.end)).collect();
    (before, rounds, answers)
}

/// The first token that the claims of a rule put on another side of a boundary than the prompt does.
fn first_difference(
    labelled: &Labelled,
    start: usize,
    real: &[Range<usize>],
    answers: &[usize],
) -> Option<usize> {
    let mut boundaries = Vec::new();
    if let Some(first) = labelled.rounds.first() {
        boundaries.push((first.start, start));
    }
    for ((round, real), answer) in labelled.rounds.iter().zip(real).zip(answers) {
        if labelled.stop != LoopEnd::NoLoop {
            boundaries.push((round.start + round.instruction_len, *answer));
        }
        boundaries.push((round.end, real.end));
    }
    if labelled.rounds.is_empty() {
        return Some(start).filter(|at| *at < labelled.input_ids.len());
    }
    let last = labelled.input_ids.len().checked_sub(1)?;
    boundaries.into_iter().find_map(|(claim, real)| {
        let claim = usize::try_from(claim).unwrap_or(0);
        (claim != real).then(|| claim.min(real).min(last))
    })
}
