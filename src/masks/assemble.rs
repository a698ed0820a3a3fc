//! A strategy's labels as a result: the text, the turns as rounds, and for each token whether it is a turn's own text.

use std::ops::Range;

use serde_json::Value;

use super::{MaskError, Masked, role};
use crate::chat::{PromptLayout, TurnLayout};
use crate::labels::{
    IGNORE_INDEX, Labelled, LoopEnd, MessageRef, Note, PythonError, Round, Segment, SegmentKind,
};
use crate::tokenizer::{IMAGE_TOKEN_INDEX, TokenId, Tokenizer};

/// `error.type` where the trainer drops a sample with a warning.
pub const DROPPED: &str = "Dropped";
/// `error.type` where a strategy does not apply to this template or vocabulary.
pub const UNFIT: &str = "DoesNotApply";
/// `error.type` where a template is stopped for what it uses.
pub const TEMPLATE_LIMIT: &str = "TemplateLimit";

/// Why a strategy gave no labels, as results hold it.
pub(super) fn python_error(error: MaskError) -> PythonError {
    match error.exception() {
        Some(exception) => exception.clone(),
        None => match &error {
            MaskError::Unfit(why) => PythonError::new(UNFIT, why.clone()),
            MaskError::Dropped(why) => PythonError::new(DROPPED, why.clone()),
            MaskError::Template(limit) => PythonError::new(TEMPLATE_LIMIT, limit.to_string()),
            other => PythonError::new("Exception", other.to_string()),
        },
    }
}

/// The text that ids spell, with the bytes of each; bytes that are no UTF-8 show as replacement characters.
pub(super) fn spelled(tokenizer: &Tokenizer, ids: &[i64]) -> (String, Vec<Range<usize>>) {
    let mut bytes: Vec<u8> = Vec::new();
    let mut spans = Vec::with_capacity(ids.len());
    for id in ids {
        let start = bytes.len();
        match TokenId::try_from(*id) {
            Ok(id) => bytes.extend(tokenizer.token_bytes(id).unwrap_or_default()),
            Err(_) if *id == IMAGE_TOKEN_INDEX => bytes.extend(b"<image>"),
            Err(_) => {}
        }
        spans.push(start..bytes.len());
    }
    // Where each byte lies in the text.
    let mut moved: Vec<usize> = Vec::with_capacity(bytes.len() + 1);
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        moved.extend((0..chunk.valid().len()).map(|at| text.len() + at));
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            moved.extend(std::iter::repeat_n(text.len(), chunk.invalid().len()));
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    moved.push(text.len());
    let at = |byte: usize| moved.get(byte).copied().unwrap_or(text.len());
    let spans = spans.iter().map(|span| at(span.start)..at(span.end)).collect();
    (text, spans)
}

/// The messages of a text, and where they lie in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LocatedMessages<'a> {
    pub messages: &'a [Value],
    pub turns: &'a [TurnLayout],
}

impl<'a> LocatedMessages<'a> {
    pub fn new(messages: &'a [Value], layout: &'a PromptLayout) -> Self {
        Self { messages, turns: &layout.turns }
    }
}

/// The result of a strategy, which counts no rounds; `spans` are the bytes of each token.
pub(super) fn labelled(masked: Masked, spans: Vec<Range<usize>>, located: LocatedMessages) -> Labelled {
    let input_ids = masked.input_ids.iter().map(|id| i64::from(*id)).collect();
    assembled(input_ids, masked.labels, spans, located, masked.notes)
}

/// The same for ids that may be none of the vocabulary's.
pub(super) fn assembled(
    input_ids: Vec<i64>,
    labels: Vec<i64>,
    spans: Vec<Range<usize>>,
    located: LocatedMessages,
    notes: Vec<Note>,
) -> Labelled {
    let turns = located.turns;
    let places: Vec<TurnPlace> = spans.iter().map(|span| TurnPlace::of(span, turns)).collect();
    let segments = segments(&places, &labels);
    let round = |(index, turn): (usize, &TurnLayout)| {
        let role = located.messages.get(turn.index).map_or("", role);
        round(index, turn, MessageRef { index: turn.index, role: role.to_string() }, &places)
    };
    let rounds = turns.iter().enumerate().map(round).collect();
    Labelled {
        input_ids,
        labels_before_check: labels.clone(),
        kept_len: usize::MAX,
        labels,
        spans,
        cur_len: None,
        total_len: None,
        mismatch: false,
        warning: None,
        rounds,
        stop: LoopEnd::NoLoop,
        segments,
        notes,
    }
}

/// The turn that a token lies in, and whether it is of the turn's own text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct TurnPlace {
    turn: Option<usize>,
    content: bool,
}

impl TurnPlace {
    fn of(span: &Range<usize>, turns: &[TurnLayout]) -> Self {
        let at = turns.partition_point(|turn| turn.whole.end <= span.start);
        // A token without text at the very end belongs to the last turn.
        let at = at.min(turns.len().saturating_sub(1));
        match turns.get(at) {
            None => Self::default(),
            Some(turn) => {
                let content = span.start < turn.content.end && span.end > turn.content.start;
                Self { turn: Some(at), content }
            }
        }
    }
}

fn segments(places: &[TurnPlace], labels: &[i64]) -> Vec<Segment> {
    let told: Vec<(TurnPlace, bool)> =
        places.iter().zip(labels).map(|(place, label)| (*place, *label == IGNORE_INDEX)).collect();
    let mut start = 0;
    told.chunk_by(|a, b| a == b)
        .map(|run| {
            let tokens = start..start + run.len();
            start = tokens.end;
            let place = run.first().map_or_else(TurnPlace::default, |(place, _)| *place);
            let kind = if place.content { SegmentKind::Content } else { SegmentKind::Frame };
            Segment { tokens, kind, round: place.turn }
        })
        .collect()
}

fn round(index: usize, turn: &TurnLayout, message: MessageRef, places: &[TurnPlace]) -> Round {
    let count = |wanted: &dyn Fn(&TurnPlace) -> bool| {
        i64::try_from(places.iter().filter(|place| wanted(place)).count()).unwrap_or(i64::MAX)
    };
    let position = |at: Option<usize>| i64::try_from(at.unwrap_or(places.len())).unwrap_or(i64::MAX);
    let round_len = count(&|place| place.turn == Some(index));
    let start = position(places.iter().position(|place| place.turn >= Some(index)));
    let first = places.iter().position(|place| place.turn == Some(index) && place.content);
    let instruction_len = first.map_or(round_len, |first| position(Some(first)) - start);
    Round {
        round_len,
        instruction_len,
        start,
        end: start + round_len,
        text: turn.whole.clone(),
        instruction_text: turn.header.clone(),
        message: Some(message),
    }
}
