//! All strategies on one conversation, under one line of tokens: which supervises what, where they differ, and why.
//!
//! ```text
//! tokens          <|im_start|> assistant ⏎ answer <|im_end|> ⏎
//! hf_generation   ·            ·         · ▓      ▓          ▓      3 supervised
//! axolotl_turn    ·            ·         · ▓      ▓          ·      2 supervised
//!                                                            ↑ difference: 1 of 2 supervises it
//! ```
//!
//! Strategies with ids of their own (LLaMA-Factory, LLaVA-NeXT, torchtune) are put on the line where their text is the
//! same; what has no place there is counted. Why a strategy does what it does to a token is [`StrategyComparison::why`].

use std::ops::Range;

use super::anatomy::{Anatomy, MessageAnatomy, MessagePart, PrefixState, TokenPlace};
use super::encoder::Encoder;
use super::labeller::Labeller;
use super::{IGNORE_INDEX, MaskError, Masked, Method, Note, Strategy, StrategySettings};
use crate::chat::Conversation;
use crate::tokenizer::TokenId;

/// Longest stretch of ids by which two sequences are put back in step, in tokens.
const RESYNC: usize = 64;

/// What a strategy says of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonCell {
    Supervised,
    Masked,
    /// The label is another id than the input.
    Other(i64),
    /// The strategy's own text has no such token here.
    Absent,
}

impl ComparisonCell {
    /// True where a loss falls on the token.
    pub fn is_supervised(self) -> bool {
        matches!(self, Self::Supervised | Self::Other(_))
    }
}

/// How a strategy ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripEnd {
    Labels,
    /// The trainer raises this, or drops the row.
    Fails(String),
    /// The strategy has no place here.
    Unfit(String),
}

/// One strategy's labels on the shared line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    pub labeller: Labeller,
    pub end: StripEnd,
    /// One a token of the line; empty unless the strategy gave labels.
    pub cells: Vec<ComparisonCell>,
    /// Tokens that the strategy supervises, those with no place on the line included.
    pub supervised: usize,
    /// Number of its own tokens.
    pub len: usize,
    /// Its own tokens that have no place on the line.
    pub elsewhere: usize,
    pub notes: Vec<Note>,
}

impl Strip {
    /// What it says of a token.
    pub fn cell(&self, token: usize) -> ComparisonCell {
        self.cells.get(token).copied().unwrap_or(ComparisonCell::Absent)
    }
}

/// Neighbouring tokens that the same strategies supervise, in one part of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyDifference {
    pub tokens: Range<usize>,
    pub place: TokenPlace,
    /// Indices of the strips that supervise it.
    pub supervised_by: Vec<usize>,
    /// Indices of the strips that do not.
    pub masked_by: Vec<usize>,
}

/// All strategies on one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyComparison {
    pub turns: Anatomy,
    pub strips: Vec<Strip>,
    /// Where strips differ, in order.
    pub differences: Vec<StrategyDifference>,
}

impl StrategyComparison {
    /// Runs every strategy; `each` sees its labels and says whether to go on. `None` where it did not.
    ///
    /// # Errors
    /// Where the conversation cannot be rendered or encoded at all.
    pub fn new(
        method: &Method,
        encoder: &dyn Encoder,
        sample: &Conversation,
        each: &mut dyn FnMut(&Anatomy, Option<&Masked>) -> bool,
    ) -> Result<Option<Self>, MaskError> {
        let turns = Anatomy::measure(&method.chat(encoder, sample)?, sample)?;
        let mut strips = Vec::new();
        for strategy in Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::Render) {
            let outcome = attempt(method, strategy, &method.settings, encoder, sample);
            if !each(&turns, outcome.as_ref().ok()) {
                return Ok(None);
            }
            strips.push(strip(Labeller::Strategy(strategy), outcome, &turns));
        }
        let differences = differences(&turns, &strips);
        Ok(Some(Self { turns, strips, differences }))
    }

    /// Labels that were made elsewhere, on a line of tokens that is given.
    pub fn of_labels(turns: Anatomy, labels: Vec<(Labeller, Result<Masked, MaskError>)>) -> Self {
        let strips: Vec<Strip> =
            labels.into_iter().map(|(labeller, outcome)| strip(labeller, outcome, &turns)).collect();
        let differences = differences(&turns, &strips);
        Self { turns, strips, differences }
    }

    /// The difference that a token lies in.
    pub fn difference_at(&self, token: usize) -> Option<&StrategyDifference> {
        self.differences.iter().find(|run| run.tokens.contains(&token))
    }

    /// Why a strip supervises a token or masks it, in a sentence.
    pub fn why(&self, strip: usize, token: usize, encoder: &dyn Encoder) -> String {
        match self.strips.get(strip) {
            Some(strip) => Reason { turns: &self.turns, strip, encoder }.sentence(token),
            None => String::new(),
        }
    }

    /// Where the template renders a prefix otherwise than the whole, in a sentence: the reason why trainers that
    /// subtract prefixes and those that do not disagree.
    pub fn divergence(&self) -> Option<String> {
        divergence_sentence(&self.turns)
    }
}

/// The first place where a prefix is rendered otherwise, as a sentence.
pub fn divergence_sentence(turns: &Anatomy) -> Option<String> {
    let raises = turns.messages.iter().enumerate().find_map(|(i, m)| match &m.prefix {
        PrefixState::Raises(error) => {
            Some(format!("the template raises on the messages up to {i} alone: {error}"))
        }
        _ => None,
    });
    let parts = turns.first_divergence().map(|(message, divergence)| {
        let role = turns.messages.get(message).map_or("", |m| m.role.as_str());
        format!(
            "rendered up to message {message} ({role}) the text has “{}” at character {}, the whole has “{}” there",
            divergence.alone, divergence.at, divergence.whole
        )
    });
    let lacks = || {
        turns.first_missing().map(|(message, missing)| {
            format!(
                "the generation prompt before message {message} ends with “{missing}”, which the whole does not have there"
            )
        })
    };
    parts.or(raises).or_else(lacks)
}

/// Labels by another strategy than the method's own, with what it needs read off the template.
///
/// # Errors
/// What the trainer raises or drops; [`MaskError::Unfit`] where it does not apply to the vocabulary or the template.
pub fn attempt(
    method: &Method,
    strategy: Strategy,
    settings: &StrategySettings,
    encoder: &dyn Encoder,
    sample: &Conversation,
) -> Result<Masked, MaskError> {
    if let Some(why) = strategy.unfit(encoder) {
        return Err(MaskError::Unfit(why));
    }
    let prompt = sample.messages.len().saturating_sub(1);
    method.label_as(strategy, settings, encoder, sample, prompt)
}

fn strip(labeller: Labeller, outcome: Result<Masked, MaskError>, turns: &Anatomy) -> Strip {
    let failed = |end: StripEnd| Strip {
        labeller: labeller.clone(),
        end,
        cells: Vec::new(),
        supervised: 0,
        len: 0,
        elsewhere: 0,
        notes: Vec::new(),
    };
    let masked = match outcome {
        Ok(masked) => masked,
        Err(MaskError::Unfit(why)) => return failed(StripEnd::Unfit(why)),
        Err(error) => return failed(StripEnd::Fails(error.to_string())),
    };
    let supervised = masked.labels.iter().filter(|label| **label != IGNORE_INDEX).count();
    let pairs = align(&turns.encoded.ids, &masked.input_ids);
    let placed = pairs.iter().flatten().count();
    let cell = |at: &Option<usize>| match at
        .and_then(|at| Some((masked.input_ids.get(at)?, masked.labels.get(at)?)))
    {
        None => ComparisonCell::Absent,
        Some((_, label)) if *label == IGNORE_INDEX => ComparisonCell::Masked,
        Some((id, label)) if *label == i64::from(*id) => ComparisonCell::Supervised,
        Some((_, label)) => ComparisonCell::Other(*label),
    };
    Strip {
        labeller,
        end: StripEnd::Labels,
        cells: pairs.iter().map(cell).collect(),
        supervised,
        len: masked.input_ids.len(),
        elsewhere: masked.input_ids.len() - placed,
        notes: masked.notes,
    }
}

/// For each id of `line` the place of the same id in `own`; in order, gaps on either side allowed.
///
/// Equal runs are followed; where they part, the nearest place from which both agree again is taken.
fn align(line: &[TokenId], own: &[TokenId]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; line.len()];
    let (mut at, mut other) = (0, 0);
    while at < line.len() && other < own.len() {
        if line.get(at) == own.get(other) {
            if let Some(pair) = pairs.get_mut(at) {
                *pair = Some(other);
            }
            at += 1;
            other += 1;
            continue;
        }
        let Some((skip_line, skip_own)) =
            resync(line.get(at..).unwrap_or_default(), own.get(other..).unwrap_or_default())
        else {
            break;
        };
        at += skip_line;
        other += skip_own;
    }
    // What is left agrees at the end, if at all.
    let tail = line.iter().rev().zip(own.iter().rev()).take_while(|(a, b)| a == b).count();
    for back in 1..=tail.min(line.len() - at.min(line.len())).min(own.len() - other.min(own.len())) {
        if let Some(pair) = pairs.get_mut(line.len() - back) {
            *pair = Some(own.len() - back);
        }
    }
    pairs
}

/// The smallest skips on both sides after which three ids agree, or all that is left.
fn resync(line: &[TokenId], own: &[TokenId]) -> Option<(usize, usize)> {
    let agrees = |a: usize, b: usize| {
        let (left, right) = (line.get(a..).unwrap_or_default(), own.get(b..).unwrap_or_default());
        let wanted = 3.min(left.len()).min(right.len());
        wanted > 0 && left.iter().zip(right).take(wanted).all(|(a, b)| a == b)
    };
    (1..=RESYNC).find_map(|sum| (0..=sum).map(|a| (a, sum - a)).find(|(a, b)| agrees(*a, *b)))
}

fn differences(turns: &Anatomy, strips: &[Strip]) -> Vec<StrategyDifference> {
    let mut runs: Vec<StrategyDifference> = Vec::new();
    for (token, place) in turns.places.iter().enumerate() {
        let with = |supervised: bool| {
            let speaks = strips.iter().enumerate().filter(|(_, s)| s.end == StripEnd::Labels);
            let here = speaks.filter(|(_, s)| s.cell(token) != ComparisonCell::Absent);
            here.filter(|(_, s)| s.cell(token).is_supervised() == supervised)
                .map(|(i, _)| i)
                .collect::<Vec<_>>()
        };
        let (supervised_by, masked_by) = (with(true), with(false));
        if supervised_by.is_empty() || masked_by.is_empty() {
            continue;
        }
        match runs.last_mut() {
            Some(run)
                if run.tokens.end == token && run.place == *place && run.supervised_by == supervised_by =>
            {
                run.tokens.end += 1;
            }
            _ => runs.push(StrategyDifference {
                tokens: token..token + 1,
                place: *place,
                supervised_by,
                masked_by,
            }),
        }
    }
    runs
}

/// Finds the reason for one cell.
struct Reason<'a> {
    turns: &'a Anatomy,
    strip: &'a Strip,
    encoder: &'a dyn Encoder,
}

impl Reason<'_> {
    fn sentence(&self, token: usize) -> String {
        let verb = match (&self.strip.end, self.strip.cell(token)) {
            (StripEnd::Unfit(why), _) => return format!("does not apply: {why}"),
            (StripEnd::Fails(error), _) => return self.failure(error),
            (_, ComparisonCell::Supervised) => "supervised",
            (_, ComparisonCell::Masked) => "masked",
            (_, ComparisonCell::Other(label)) => {
                let token = u32::try_from(label).ok().and_then(|id| self.encoder.id_to_token(id));
                return format!("the label is {} ({label}), not the input", token.unwrap_or_default());
            }
            (_, ComparisonCell::Absent) => return "its own text has no such token here".to_string(),
        };
        let supervised = verb == "supervised";
        let reason = self
            .noted(token)
            .or_else(|| self.by_prefix())
            .unwrap_or_else(|| self.by_place(token, supervised));
        format!("{verb}: {reason}")
    }

    /// A trainer that gives no labels, and what the template does that it cannot cope with.
    fn failure(&self, error: &str) -> String {
        match divergence_sentence(self.turns).filter(|_| self.strip.labeller.subtracts_prefixes()) {
            Some(divergence) => format!("gives no labels: {divergence} ({error})"),
            None => format!("gives no labels: {error}"),
        }
    }

    /// A note of the strategy on this very token, or on the sample where nothing is supervised.
    fn noted(&self, token: usize) -> Option<String> {
        let on_token = self.strip.notes.iter().find(|note| note.tokens.contains(&token));
        let on_all =
            || self.strip.notes.iter().find(|note| note.tokens.is_empty() && self.strip.supervised == 0);
        on_token.or_else(on_all).map(|note| note.text.clone())
    }

    /// Prefixes that are rendered otherwise shift what their lengths say.
    fn by_prefix(&self) -> Option<String> {
        if !self.strip.labeller.subtracts_prefixes() || self.strip.labeller.last_only() {
            return None;
        }
        divergence_sentence(self.turns).map(|divergence| format!("it counts on prefixes, but {divergence}"))
    }

    fn by_place(&self, token: usize, supervised: bool) -> String {
        let Some(place) = self.turns.places.get(token).copied() else { return String::new() };
        let Some(message) = self.turns.messages.get(place.message) else { return String::new() };
        let labeller = &self.strip.labeller;
        let tags = *labeller == Strategy::HfGeneration;
        if !message.is_answer() {
            let role = if message.role.is_empty() { "unnamed" } else { &message.role };
            if labeller.strategy().is_none() {
                let what = if supervised {
                    "its lengths reach into this turn"
                } else {
                    "what its lengths take for the instruction"
                };
                return format!("a {role} turn; {what}");
            }
            return match (supervised, labeller.needs_template()) {
                (true, false) => format!(
                    "it supervises special tokens or whole messages wherever they stand, {role} turns too"
                ),
                (true, true) => format!("nothing in a {role} turn ends its span: only its own markers do"),
                (false, _) => format!("a {role} turn"),
            };
        }
        let last = self.turns.messages.iter().rposition(MessageAnatomy::is_answer);
        if !supervised && labeller.last_only() && last != Some(place.message) {
            return "it supervises the last answer only".to_string();
        }
        let inside = if tags { "inside the {% generation %} tag" } else { "part of its span" };
        let outside = if tags { "outside the {% generation %} tag" } else { "not part of its span" };
        let how = if supervised { inside } else { outside };
        let what = match place.part {
            MessagePart::Header => "the header of the answer, which the generation prompt gives",
            MessagePart::Inserted => "written before the content by the template, or thought",
            MessagePart::Body => "the answer",
            MessagePart::End if supervised => "the end-of-turn token: the model learns to stop",
            MessagePart::End => "the end-of-turn token: the model does not learn to stop",
            MessagePart::After => "what stands behind the end-of-turn token",
        };
        format!("{what}; {how}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_put_in_step_again() {
        let own = [9, 9, 1, 2, 3, 7, 4, 5, 6];
        let expected = [2, 3, 4, 6, 7, 8].map(Some).to_vec();
        assert_eq!(align(&[1, 2, 3, 4, 5, 6], &own), expected);
    }

    #[test]
    fn what_one_side_lacks_has_no_pair() {
        assert_eq!(align(&[1, 2, 3, 4], &[3, 4]), [None, None, Some(0), Some(1)]);
        assert_eq!(align(&[1, 2], &[1, 2, 3, 4]), [Some(0), Some(1)]);
        assert_eq!(align(&[1, 2], &[8, 9]), [None, None]);
        assert_eq!(align(&[], &[8]), []);
    }
}
