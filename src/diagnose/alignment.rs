//! The ids of each piece that was encoded alone, laid against the ids of the whole prompt.
//!
//! A counting rule is right when both are the same. Where they part is the place to look at: tokens that melt
//! with a neighbour, a bos that only the lone piece has, a space that only one of both keeps.

use std::ops::Range;

use serde::Serialize;

use super::arithmetic::Arithmetic;
use super::layout::{tokens_before, tokens_in_front};
use crate::labels::{Inspection, Labelled, Rule, image_ids};
use crate::setup::{LlavaSetup, Setup};
use crate::tokenizer::Tokenizer;

/// One token as evidence: its id and its text (lossy where its bytes are no text).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlignedToken {
    pub id: i64,
    pub text: String,
}

/// What happened where two token rows part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Several tokens of the lone piece are fewer tokens in the prompt.
    Merged,
    /// Tokens of the lone piece are more tokens in the prompt.
    Split,
    /// Tokens that only the lone piece has.
    OnlyAlone,
    /// Tokens that only the prompt has.
    OnlyInPrompt,
    /// As many tokens, but others: the count is right all the same.
    Replaced,
    /// A token of the prompt holds the end of the piece and the beginning of what follows.
    OverEnd,
}

/// The first stretch in which two token rows differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Position in the lone piece, without the special tokens in front.
    pub at: usize,
    /// Index in the prompt's ids.
    pub token: usize,
    pub kind: DifferenceKind,
    pub alone: Vec<AlignedToken>,
    pub in_prompt: Vec<AlignedToken>,
}

/// One round: what the rule counts against what stands in the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundAlignment {
    pub round: usize,
    /// The rule's `round_len`.
    pub claimed: i64,
    /// Ids of the round in the prompt, its separator included.
    pub actual: i64,
    /// `claimed - actual`.
    pub off: i64,
    /// Where the rule puts the round's first token, and where that is.
    pub claimed_start: i64,
    pub actual_start: i64,
    /// `claimed_start - actual_start`: how far the mask has drifted when the round begins.
    pub drift: i64,
    /// Ids in front of the lone piece that the prompt does not have there.
    pub added: Vec<AlignedToken>,
    pub difference: Option<Difference>,
}

/// Aligns every round of an inspected sample. Empty where the sample raised or the rule does not count.
pub fn align(setup: &LlavaSetup, inspection: &Inspection) -> Vec<RoundAlignment> {
    let (Ok(labelled), Some(prompt)) = (&inspection.result, &inspection.prompt) else { return Vec::new() };
    let closing = match Arithmetic::of(setup, inspection.has_image) {
        Some(arithmetic) => arithmetic.closing.len(),
        None if setup.labelling.rule.is(Rule::V0) => 0,
        None => return Vec::new(),
    };
    let tokenizer = &setup.tokenizer;
    let rounds = labelled.rounds.iter().enumerate();
    rounds
        .filter_map(|(index, round)| {
            let end = (round.text.end + closing).min(prompt.len());
            let start =
                if round.text.start == 0 { 0 } else { tokens_before(&labelled.spans, round.text.start) };
            let tokens = start..tokens_before(&labelled.spans, end);
            let actual = i64::try_from(tokens.len()).ok()?;
            let actual_start = i64::try_from(start).ok()?;
            let text = prompt.get(round.text.clone())?;
            let (added, alone) = encode_alone(tokenizer, text, inspection.has_image)?;
            let body = match round.text.start {
                0 => tokens_in_front(tokenizer, &labelled.input_ids, &labelled.spans),
                start => tokens_before(&labelled.spans, start),
            };
            let in_prompt = body..tokens_reaching(&labelled.spans, round.text.end);
            Some(RoundAlignment {
                round: index,
                claimed: round.round_len,
                actual,
                off: round.round_len - actual,
                claimed_start: round.start,
                actual_start,
                drift: round.start - actual_start,
                difference: first_difference(tokenizer, labelled, &alone, in_prompt, round.text.end),
                added: tokens_of(tokenizer, &added),
            })
        })
        .collect()
}

/// Number of tokens that begin before a byte of the prompt: a token that lies across it counts.
fn tokens_reaching(spans: &[Range<usize>], byte: usize) -> usize {
    let before = tokens_before(spans, byte);
    before + usize::from(spans.get(before).is_some_and(|span| span.start < byte))
}

/// Ids of a lone piece: those that stand in front for no text, and the others.
fn encode_alone(tokenizer: &Tokenizer, text: &str, image: bool) -> Option<(Vec<i64>, Vec<i64>)> {
    let (ids, spans) = if image {
        let ids = image_ids(tokenizer, text).ok()?;
        (ids.ids, ids.spans)
    } else {
        let encoding = tokenizer.encode(text, true).ok()?;
        (encoding.ids.iter().map(|id| i64::from(*id)).collect(), encoding.spans)
    };
    let front = tokens_in_front(tokenizer, &ids, &spans);
    let (added, body) = ids.split_at_checked(front)?;
    Some((added.to_vec(), body.to_vec()))
}

fn first_difference(
    tokenizer: &Tokenizer,
    labelled: &Labelled,
    alone: &[i64],
    in_prompt: Range<usize>,
    end: usize,
) -> Option<Difference> {
    let here = labelled.input_ids.get(in_prompt.clone())?;
    let at = alone.iter().zip(here).take_while(|(a, b)| a == b).count();
    let (alone_rest, here_rest) = (alone.get(at..)?, here.get(at..)?);
    if alone_rest.is_empty() && here_rest.is_empty() {
        return None;
    }
    let (a, b) = resynchronise(alone_rest, here_rest);
    let last = (in_prompt.start + at + b).checked_sub(1).and_then(|last| labelled.spans.get(last));
    let kind = match (a, b) {
        (_, 1..) if last.is_some_and(|span| span.end > end) => DifferenceKind::OverEnd,
        (_, 0) => DifferenceKind::OnlyAlone,
        (0, _) => DifferenceKind::OnlyInPrompt,
        (a, b) if a > b => DifferenceKind::Merged,
        (a, b) if a < b => DifferenceKind::Split,
        _ => DifferenceKind::Replaced,
    };
    Some(Difference {
        at,
        token: in_prompt.start + at,
        kind,
        alone: tokens_of(tokenizer, alone_rest.get(..a)?),
        in_prompt: tokens_of(tokenizer, here_rest.get(..b)?),
    })
}

/// How many tokens of both rows to skip until they agree again, the fewest in sum.
fn resynchronise(alone: &[i64], here: &[i64]) -> (usize, usize) {
    const WINDOW: usize = 12;
    for sum in 1..=2 * WINDOW {
        for a in 0..=sum {
            let b = sum - a;
            let (Some(rest_a), Some(rest_b)) = (alone.get(a..), here.get(b..)) else { continue };
            let agree = rest_a.iter().zip(rest_b).take(2).filter(|(x, y)| x == y).count();
            if agree == 2 || (rest_a == rest_b) {
                return (a, b);
            }
        }
    }
    (alone.len(), here.len())
}

/// Ids with their texts.
pub fn tokens_of(tokenizer: &Tokenizer, ids: &[i64]) -> Vec<AlignedToken> {
    let text = |id: i64| match u32::try_from(id).ok().and_then(|id| tokenizer.token_bytes(id)) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None if id == crate::labels::IMAGE_TOKEN_INDEX => "<image>".to_string(),
        None => String::new(),
    };
    ids.iter().map(|id| AlignedToken { id: *id, text: text(*id) }).collect()
}

/// A place of two token rows laid side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub alone: Option<AlignedToken>,
    pub in_prompt: Option<AlignedToken>,
    pub same: bool,
}

/// Both rows of a round, token under token: the piece encoded alone, and its text in the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedRound {
    pub alignment: RoundAlignment,
    pub pairs: Vec<Pair>,
}

/// Comparing two rows that have nothing in common is cut short after this.
const PAIRING_LIMIT: std::time::Duration = std::time::Duration::from_millis(200);

/// Aligns every round of an inspected sample token under token; empty with a chat template, which counts no rounds.
pub fn align_tokens(setup: &Setup, inspection: &Inspection) -> Vec<PairedRound> {
    let Some(setup) = setup.to_llava() else { return Vec::new() };
    let (Ok(labelled), Some(prompt)) = (&inspection.result, &inspection.prompt) else { return Vec::new() };
    let tokenizer = &setup.tokenizer;
    let rounds = align(&setup, inspection).into_iter();
    rounds
        .filter_map(|alignment| {
            let round = labelled.rounds.get(alignment.round)?;
            let text = prompt.get(round.text.clone())?;
            let (added, alone) = encode_alone(tokenizer, text, inspection.has_image)?;
            let from = match round.text.start {
                0 => tokens_in_front(tokenizer, &labelled.input_ids, &labelled.spans),
                start => tokens_before(&labelled.spans, start),
            };
            let here = labelled.input_ids.get(from..tokens_reaching(&labelled.spans, round.text.end))?;
            let front = tokens_of(tokenizer, &added).into_iter();
            // The first round's bos is in the prompt too; a later one is in the lone piece only.
            let in_front = if from == added.len() { labelled.input_ids.get(..from)? } else { &[] };
            let mut front_here = tokens_of(tokenizer, in_front).into_iter();
            let mut pairs: Vec<Pair> = front.map(|token| pair(Some(token), front_here.next())).collect();
            pairs.extend(pair_up(tokenizer, &alone, here));
            Some(PairedRound { alignment, pairs })
        })
        .collect()
}

fn pair(alone: Option<AlignedToken>, in_prompt: Option<AlignedToken>) -> Pair {
    let same = alone.as_ref().map(|t| t.id) == in_prompt.as_ref().map(|t| t.id);
    Pair { alone, in_prompt, same }
}

fn pair_up(tokenizer: &Tokenizer, alone: &[i64], here: &[i64]) -> Vec<Pair> {
    let deadline = std::time::Instant::now().checked_add(PAIRING_LIMIT);
    let ops = similar::capture_diff_slices_deadline(similar::Algorithm::Myers, alone, here, deadline);
    let mut pairs = Vec::new();
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        let mut left = tokens_of(tokenizer, alone.get(old).unwrap_or_default()).into_iter();
        let mut right = tokens_of(tokenizer, here.get(new).unwrap_or_default()).into_iter();
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (a, b) => pairs.push(pair(a, b)),
            }
        }
    }
    pairs
}

/// A sentence on where a round's rows part, and by how many ids the piece is off.
pub fn alignment_line(alignment: &RoundAlignment) -> String {
    let round = alignment.round + 1;
    let off = match (alignment.off, alignment.drift) {
        (0, 0) => "right".to_string(),
        (off, 0) => format!("{off:+}"),
        (off, drift) => format!("{off:+}, and begins {drift:+} too far"),
    };
    let Some(difference) = &alignment.difference else {
        let front = match (alignment.round, alignment.added.len()) {
            (1.., 1..) => ", but for what is put in front of the lone piece",
            _ => "",
        };
        return format!("round {round} {off} · the same tokens alone and in the prompt{front}");
    };
    let count = |tokens: &[AlignedToken]| match tokens.len() {
        1 => "1 token".to_string(),
        n => format!("{n} tokens"),
    };
    let what = match difference.kind {
        DifferenceKind::Merged => {
            format!(
                "{} alone melt into {} in the prompt",
                count(&difference.alone),
                count(&difference.in_prompt)
            )
        }
        DifferenceKind::Split => {
            format!(
                "{} alone split into {} in the prompt",
                count(&difference.alone),
                count(&difference.in_prompt)
            )
        }
        DifferenceKind::OnlyAlone => format!("{} that only the lone piece has", count(&difference.alone)),
        DifferenceKind::OnlyInPrompt => format!("{} that only the prompt has", count(&difference.in_prompt)),
        DifferenceKind::Replaced => "other tokens, as many".to_string(),
        DifferenceKind::OverEnd => {
            let joined = difference.in_prompt.last().map_or("", |token| token.text.as_str());
            format!("in the prompt the piece's end melts with what follows into {joined:?}")
        }
    };
    format!("round {round} {off} · first part at token {}: {what}", difference.token)
}
