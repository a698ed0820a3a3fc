//! One sample under every label function that could be meant: the repository's own, its other functions on the same template,
//! and the built-in rules; all on one line of tokens.

use std::ops::Range;

use super::recognized::{RepositoryLabelling, template};
use crate::chat::{PromptLayout, Sample, Speaker, TurnLayout};
use crate::labels::{Inspection, Labelled, Rule, RuleChoice, inspect};
use crate::masks::anatomy::{Anatomy, MessageAnatomy, MessagePart, PrefixState, TokenPlace};
use crate::masks::compare::StrategyComparison;
use crate::masks::encoder::Encoded;
use crate::masks::{Labeller, MaskError, Masked};
use crate::repository;
use crate::sandbox::side_by_side;
use crate::tokenizer::{NO_ID, TokenId};

impl RepositoryLabelling {
    /// The sample under all label functions; the error of the repository's own where that gives no labels.
    ///
    /// # Errors
    /// The function raises on this sample, so that there is no line of tokens.
    pub fn compared(&self, sample: &Sample) -> Result<(StrategyComparison, Vec<Option<Masked>>), MaskError> {
        let own = self.inspect(sample);
        let labelled = own.result.as_ref().map_err(|error| {
            MaskError::Unfit(format!("the repository's function raises {}: {}", error.kind, error.message))
        })?;
        let entry = self.function.entry();
        let turns = anatomy(&own, labelled, sample);
        let present = Labeller::Function {
            name: entry.name.as_str().into(),
            place: format!("{}:{}", entry.file, entry.name).into(),
            is_present: true,
        };
        let mut all = vec![(present, Ok(masked(labelled)))];
        all.extend(side_by_side(self.others(), |other| {
            let labels = match &other.function {
                Ok(function) => outcome(repository::inspect(function, sample)),
                Err(why) => Err(MaskError::Unfit(why.clone())),
            };
            (
                Labeller::Function {
                    name: other.name.clone(),
                    place: other.place.clone(),
                    is_present: false,
                },
                labels,
            )
        }));
        if let Some((template, tokenizer)) = template(&self.function).zip(self.function.tokenizer()) {
            let labels =
                |rule: Rule| inspect(&tokenizer, &template, RuleChoice::Named(rule), self.options(), sample);
            all.extend(Rule::ALL.into_iter().map(|rule| (Labeller::Rule(rule), outcome(labels(rule)))));
        }
        let rows = all.iter().map(|(_, labels)| labels.as_ref().ok().cloned()).collect();
        Ok((StrategyComparison::of_labels(turns, all), rows))
    }
}

fn outcome(inspection: Inspection) -> Result<Masked, MaskError> {
    match inspection.result {
        Ok(labelled) => Ok(masked(&labelled)),
        // The functions assert the style of template that they are made for.
        Err(error) if error.kind == "AssertionError" => {
            Err(MaskError::Unfit("it is for templates of another style, or for other turns".to_string()))
        }
        Err(error) => Err(MaskError::Unfit(format!("{}: {}", error.kind, error.message))),
    }
}

/// Labels of a rule as strips have them; a note says what the length check threw away.
fn masked(labelled: &Labelled) -> Masked {
    let mut made = Masked { labels: labelled.labels.clone(), ..Masked::ignored(ids(&labelled.input_ids)) };
    if labelled.mismatch {
        made.note(
            0..0,
            format!("mismatch: {}", labelled.warning.as_deref().unwrap_or("all labels are −100")),
        );
    }
    made
}

fn ids(input_ids: &[i64]) -> Vec<TokenId> {
    input_ids.iter().map(|id| TokenId::try_from(*id).unwrap_or(NO_ID)).collect()
}

/// Where the turns lie, as far as the rule that the function was recognized as knows it; else one message.
fn anatomy(inspection: &Inspection, labelled: &Labelled, sample: &Sample) -> Anatomy {
    let text = inspection.prompt.clone().unwrap_or_default();
    let chars = |byte: usize| text.get(..byte).map_or(0, |before| before.chars().count());
    let range = |bytes: &Range<usize>| chars(bytes.start)..chars(bytes.end);
    let offsets = labelled.spans.iter().map(|span| (chars(span.start), chars(span.end))).collect();
    let PromptLayout { turns } = &inspection.layout;
    let before = turns.first().map_or(text.len(), |turn| turn.whole.start);
    let message = |role: &str, block: Range<usize>, content: Option<Range<usize>>| MessageAnatomy {
        role: role.to_string(),
        block,
        content,
        prefix: PrefixState::Whole,
        prompt: None,
    };
    let mut messages =
        vec![message(if turns.is_empty() { "whole" } else { "system" }, range(&(0..before)), None)];
    messages.extend(
        turns.iter().map(|turn| message(role(turn, sample), range(&turn.whole), Some(range(&turn.content)))),
    );
    let places = labelled.spans.iter().map(|span| place(turns, span)).collect();
    let encoded = Encoded { ids: ids(&labelled.input_ids), offsets, spans: labelled.spans.clone() };
    Anatomy { text, encoded, generation: Vec::new(), messages, places }
}

fn role<'a>(turn: &TurnLayout, sample: &'a Sample) -> &'a str {
    match turn.speaker {
        Speaker::Assistant => "assistant",
        Speaker::User => "user",
        Speaker::System | Speaker::Tool => sample.conversations.get(turn.index).map_or("", |turn| &turn.from),
    }
}

fn place(turns: &[TurnLayout], span: &Range<usize>) -> TokenPlace {
    // A token that joins two turns belongs to the later one, whose text it begins.
    let last = span.end.saturating_sub(1).max(span.start);
    let Some((index, turn)) = turns.iter().enumerate().find(|(_, turn)| turn.whole.contains(&last)) else {
        return TokenPlace { message: 0, part: MessagePart::Header };
    };
    let part = match () {
        () if turn.separator.contains(&last) && span.start >= turn.separator.start => MessagePart::End,
        () if span.end <= turn.content.start => MessagePart::Header,
        () => MessagePart::Body,
    };
    TokenPlace { message: index + 1, part }
}
