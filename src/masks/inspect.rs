//! One sample through a strategy: the same result as the label rules of the LLaVA family give.

use super::turns::{TurnSpan, locate};
use super::{MaskError, Masked, Method};
use crate::chat::{self, Body, Conversation, PromptLayout};
use crate::labels::{
    IGNORE_INDEX, Inspection, Labelled, MessageRef, PythonError, Round, Segment, SegmentKind, Stop,
};
use crate::tokenizer::{IMAGE_TOKEN_INDEX, TokenId, Tokenizer};

/// `error.type` where the trainer drops a sample with a warning.
pub const DROPPED: &str = "Dropped";
/// `error.type` where a strategy has no part in this template or vocabulary.
pub const UNFIT: &str = "DoesNotApply";
/// `error.type` where a template is stopped for what it uses.
pub const TEMPLATE_LIMIT: &str = "TemplateLimit";

impl Method {
    /// Labels of one sample that is a conversation; [`crate::labelling::Labelling::inspect`] also takes records that
    /// bring labels of their own.
    pub fn inspect(&self, tokenizer: &Tokenizer, sample: &chat::Sample) -> Inspection {
        let conversation = self.with_kwargs(sample.conversation().unwrap_or_default().into_owned());
        let prompt = match sample.body {
            Body::PromptCompletion { prompt, .. } => prompt,
            _ => conversation.messages.len().saturating_sub(1),
        };
        let label = || self.label(tokenizer, &conversation, prompt);
        self.inspect_as(tokenizer, sample, self.strategy.name(), &conversation, label)
    }

    /// The labels that `label` gives for the conversation of a sample.
    pub(super) fn inspect_as(
        &self,
        tokenizer: &Tokenizer,
        sample: &chat::Sample,
        preprocess: &str,
        conversation: &Conversation,
        label: impl FnOnce() -> Result<Masked, MaskError>,
    ) -> Inspection {
        let mut text = None;
        let result = label().map(|masked| {
            let (shown, labelled) = self.labelled(tokenizer, conversation, masked);
            text = Some(shown);
            labelled
        });
        Inspection {
            id: sample.id.clone(),
            has_image: sample.has_image,
            template: self.templates.name.clone(),
            preprocess: preprocess.to_string(),
            prompt: text,
            layout: PromptLayout::default(),
            result: result.map_err(python_error),
        }
    }

    fn labelled(
        &self,
        tokenizer: &Tokenizer,
        conversation: &Conversation,
        masked: Masked,
    ) -> (String, Labelled) {
        let (text, spans) = text_and_spans(tokenizer, &masked);
        let chat = self.chat(tokenizer, conversation).ok().filter(|_| masked.text.is_some());
        let turns = locate(chat.as_ref(), conversation, &text);
        let labelled = labelled(masked, spans, &turns);
        (text, labelled)
    }
}

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

type Spans = Vec<std::ops::Range<usize>>;

/// The text of a sequence with the bytes of each token: the text that was encoded, else what the ids spell.
fn text_and_spans(tokenizer: &Tokenizer, masked: &Masked) -> (String, Spans) {
    if let Some(text) = &masked.text
        && let Ok(encoding) = tokenizer.encode(text, false)
        && encoding.ids.starts_with(&masked.input_ids)
    {
        let mut spans = encoding.spans;
        spans.truncate(masked.input_ids.len());
        return (text.clone(), spans);
    }
    let ids: Vec<i64> = masked.input_ids.iter().map(|id| i64::from(*id)).collect();
    spelled(tokenizer, &ids)
}

/// The text that ids spell, with the bytes of each; bytes that are no UTF-8 show as replacement characters.
pub(super) fn spelled(tokenizer: &Tokenizer, ids: &[i64]) -> (String, Spans) {
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

/// A result of no counting rule: turns for rounds, and for each token whether it is a turn's own text.
pub(super) fn labelled(masked: Masked, spans: Spans, turns: &[TurnSpan]) -> Labelled {
    let input_ids = masked.input_ids.iter().map(|id| i64::from(*id)).collect();
    assembled(input_ids, masked.labels, spans, turns, masked.notes)
}

/// The same for ids that may be none of the vocabulary's.
pub(super) fn assembled(
    input_ids: Vec<i64>,
    labels: Vec<i64>,
    spans: Spans,
    turns: &[TurnSpan],
    notes: Vec<crate::labels::Note>,
) -> Labelled {
    let places: Vec<Place> = spans.iter().map(|span| Place::of(span, turns)).collect();
    let segments = segments(&places, &labels);
    let rounds = turns.iter().enumerate().map(|(index, turn)| round(index, turn, &places)).collect();
    Labelled {
        input_ids,
        labels_before_check: labels.clone(),
        labels,
        spans,
        cur_len: None,
        total_len: None,
        mismatch: false,
        warning: None,
        rounds,
        stop: Stop::NoLoop,
        segments,
        notes,
    }
}

/// What a token is to the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    turn: Option<usize>,
    content: bool,
}

impl Place {
    fn of(span: &std::ops::Range<usize>, turns: &[TurnSpan]) -> Self {
        let at = turns.partition_point(|turn| turn.whole.end <= span.start);
        // A token without text at the very end belongs to the last turn.
        let at = at.min(turns.len().saturating_sub(1));
        match turns.get(at) {
            None => Self { turn: None, content: false },
            Some(turn) => {
                let content = span.start < turn.content.end && span.end > turn.content.start;
                Self { turn: Some(at), content }
            }
        }
    }
}

fn segments(places: &[Place], labels: &[i64]) -> Vec<Segment> {
    let told: Vec<(Place, bool)> =
        places.iter().zip(labels).map(|(place, label)| (*place, *label == IGNORE_INDEX)).collect();
    let mut start = 0;
    told.chunk_by(|a, b| a == b)
        .map(|run| {
            let tokens = start..start + run.len();
            start = tokens.end;
            let place = run.first().map_or(Place { turn: None, content: false }, |(place, _)| *place);
            let kind = if place.content { SegmentKind::Content } else { SegmentKind::Frame };
            Segment { tokens, kind, round: place.turn }
        })
        .collect()
}

fn round(index: usize, turn: &TurnSpan, places: &[Place]) -> Round {
    let count = |wanted: &dyn Fn(&Place) -> bool| {
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
        instruction_text: turn.whole.start..turn.content.start.max(turn.whole.start),
        message: Some(MessageRef { index: turn.message, role: turn.role.clone() }),
    }
}
