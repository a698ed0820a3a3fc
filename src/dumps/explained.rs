//! What a trainer fed beside what this program makes of the same messages: the first divergence, and its cause.

use std::fmt::Write as _;

use serde::Serialize;

use super::dump_setup::DumpSetup;
use super::fed::Document;
use super::fed::FedRow;
use super::row::DumpRow;
use crate::chat::{Conversation, Sample, content};
use crate::diagnose::SetupComparison;
use crate::labels::{Inspection, Labelled};
use crate::masks::{Strategy, inspect_ids, recovered};

/// Characters of a message that a sample is known by.
const KNOWN_BY: usize = 120;

/// Why two sides part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DivergenceCause {
    /// Ids and labels agree.
    None,
    /// The ids agree, and other tokens are supervised.
    Labels,
    /// One side ends where the other goes on.
    Cut,
    /// bos on one side only.
    Bos,
    /// Another special token at one place.
    SpecialToken,
    /// Nothing but white space differs.
    WhiteSpace,
    /// Another text.
    Template,
    /// The same text, cut into other tokens.
    Tokenization,
    /// This program's side raises.
    Raises,
}

impl DivergenceCause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Labels,
        Self::Cut,
        Self::Bos,
        Self::SpecialToken,
        Self::WhiteSpace,
        Self::Template,
        Self::Tokenization,
        Self::Raises,
    ];

    /// As text output names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "the same ids and labels",
            Self::Labels => "the same ids, other labels: another strategy",
            Self::Cut => "cut: one side ends where the other goes on",
            Self::Bos => "bos on one side only",
            Self::SpecialToken => "another special token",
            Self::WhiteSpace => "white space that one side trims",
            Self::Template => "another text: another template, or other messages",
            Self::Tokenization => "the same text in other tokens: another class or release",
            Self::Raises => "the training code raises on these messages",
        }
    }
}

/// Where two sides part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstDivergence {
    pub cause: DivergenceCause,
    /// The first token that differs, the same number on both sides.
    pub token: Option<usize>,
    pub detail: String,
}

/// A document of a dump beside what this program makes of its messages.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Where the messages are from: the id of a sample, or the text of the row itself.
    pub source: Option<String>,
    /// A: the dump. B: this program.
    pub comparison: SetupComparison,
    pub first: FirstDivergence,
    /// Strategies that give the same ids and labels.
    pub strategies: Vec<&'static str>,
}

/// What all documents came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExplainedTotals {
    pub documents: usize,
    /// Documents by cause, in the order of [`DivergenceCause::ALL`].
    pub by_cause: [usize; 9],
    /// Documents that each strategy labels alike.
    pub strategies: std::collections::BTreeMap<&'static str, usize>,
}

impl ExplainedTotals {
    /// Counts one more.
    pub fn add(&mut self, explained: &Explained) {
        self.documents += 1;
        if let Some(count) = self.by_cause.get_mut(explained.first.cause as usize) {
            *count += 1;
        }
        for strategy in &explained.strategies {
            *self.strategies.entry(strategy).or_default() += 1;
        }
    }
}

/// Samples in the order of the data, to be found by what they say.
#[derive(Debug)]
pub struct SamplesBySaying {
    samples: Vec<(Sample, String)>,
    next: usize,
}

impl SamplesBySaying {
    /// Of the data.
    pub fn new(samples: Vec<Sample>) -> Self {
        let known_by = |sample: &Sample| {
            let turns = sample.conversations.iter().map(|turn| turn.value.clone());
            let conversation = sample.conversation();
            let messages = conversation
                .iter()
                .flat_map(|c| c.messages.iter().filter_map(|message| content(message).map(String::from)));
            // Of what a person or a model says the longest; of a system text many samples have the same.
            let longest = turns.chain(messages).max_by_key(String::len).unwrap_or_default();
            longest.trim().chars().take(KNOWN_BY).collect::<String>()
        };
        let samples = samples.into_iter().map(|sample| {
            let known_by = known_by(&sample);
            (sample, known_by)
        });
        Self { samples: samples.collect(), next: 0 }
    }

    /// The sample that a text was made of: the next one in order where that fits, else any that does.
    fn find(&mut self, text: &str) -> Option<&Sample> {
        let count = self.samples.len();
        let fits = |at: &usize| {
            self.samples.get(*at).is_some_and(|(_, said)| !said.is_empty() && text.contains(said.as_str()))
        };
        let at = (0..count).map(|at| (self.next + at) % count).find(fits)?;
        self.next = at + 1;
        self.samples.get(at).map(|(sample, _)| sample)
    }
}

impl DumpSetup<'_> {
    /// One document of a row as a result of its own.
    pub fn inspect_document(&self, row: &DumpRow, fed: &FedRow, document: &Document) -> Inspection {
        let ids = row.ids.get(document.clone()).unwrap_or_default();
        let labels = fed.labels.get(document.clone()).unwrap_or_default();
        inspect_ids(&self.setup.tokenizer, self.markers.as_ref(), &row.id, (ids, labels), Vec::new())
    }

    /// A row's documents beside this program's own. `samples` are the messages, where there are some; else those of the row or
    /// of its text are taken.
    pub fn explain(
        &self,
        row: &DumpRow,
        fed: &FedRow,
        mut samples: Option<&mut SamplesBySaying>,
    ) -> Vec<Explained> {
        let mut all = Vec::new();
        for document in &fed.documents {
            let dumped = self.inspect_document(row, fed, document);
            let text = dumped.prompt.as_deref().unwrap_or_default();
            let (sample, source) = match &mut samples {
                Some(samples) => {
                    let Some(sample) = samples.find(text).cloned() else { continue };
                    let id = sample.id.clone();
                    (sample, Some(id))
                }
                None => {
                    let own = row
                        .messages
                        .as_ref()
                        .and_then(serde_json::Value::as_array)
                        .filter(|_| fed.documents.len() == 1);
                    let own = own.map(|messages| Conversation {
                        messages: messages.clone(),
                        ..Conversation::default()
                    });
                    let Some(conversation) = own.or_else(|| recovered(&dumped)) else { continue };
                    (Sample::of_messages(row.id.clone(), conversation), None)
                }
            };
            all.push(self.beside(dumped, &sample, source));
        }
        all
    }

    fn beside(&self, dumped: Inspection, sample: &Sample, source: Option<String>) -> Explained {
        let ours = self.setup.inspect(sample);
        let first = self.first_divergence(&dumped, &ours);
        let strategies = match &dumped.result {
            Ok(labelled) => self.strategies_like(labelled, sample),
            Err(_) => Vec::new(),
        };
        Explained { source, comparison: SetupComparison::aligned(dumped, ours, true), first, strategies }
    }

    /// Strategies that label the messages as the dump has them.
    fn strategies_like(&self, dumped: &Labelled, sample: &Sample) -> Vec<&'static str> {
        let Some((method, conversation)) = self.setup.chat().zip(sample.conversation()) else {
            return Vec::new();
        };
        let conversation = method.with_kwargs(conversation.into_owned());
        let prompt = conversation.messages.len().saturating_sub(1);
        let same = |strategy: &Strategy| {
            let made =
                method.label_as(*strategy, &method.settings, &*self.setup.tokenizer, &conversation, prompt);
            made.is_ok_and(|made| {
                made.labels == dumped.labels
                    && made.input_ids.iter().map(|id| i64::from(*id)).eq(dumped.input_ids.iter().copied())
            })
        };
        Strategy::ALL.into_iter().filter(same).map(Strategy::name).collect()
    }

    fn first_divergence(&self, dumped: &Inspection, ours: &Inspection) -> FirstDivergence {
        let (Ok(a), Ok(b)) = (&dumped.result, &ours.result) else {
            let detail = ours
                .result
                .as_ref()
                .err()
                .map_or(String::new(), |error| format!("{}: {}", error.kind, error.message));
            return FirstDivergence { cause: DivergenceCause::Raises, token: None, detail };
        };
        let at = a.input_ids.iter().zip(&b.input_ids).position(|(a, b)| a != b);
        let shorter = a.input_ids.len().min(b.input_ids.len());
        let Some(at) = at else {
            return match a.input_ids.len() == b.input_ids.len() {
                true => same_ids(a, b),
                false => FirstDivergence {
                    cause: DivergenceCause::Cut,
                    token: Some(shorter),
                    detail: format!("{} tokens in the dump, {} here", a.input_ids.len(), b.input_ids.len()),
                },
            };
        };
        let cause = self.cause(at, (a, dumped), (b, ours));
        let mut detail = String::new();
        let _ = write!(
            detail,
            "{:?} in the dump, {:?} here",
            excerpt(a, dumped.prompt.as_deref(), at),
            excerpt(b, ours.prompt.as_deref(), at)
        );
        FirstDivergence { cause, token: Some(at), detail }
    }

    fn cause(
        &self,
        at: usize,
        (a, dumped): (&Labelled, &Inspection),
        (b, ours): (&Labelled, &Inspection),
    ) -> DivergenceCause {
        let (id, other) = (a.input_ids.get(at), b.input_ids.get(at));
        let is_bos = |id: Option<&i64>| id.copied().is_some() && id.copied() == self.facts.bos;
        let follows =
            |longer: &Labelled, shorter: &Labelled| longer.input_ids.get(at + 1) == shorter.input_ids.get(at);
        if is_bos(id) && follows(a, b) || is_bos(other) && follows(b, a) {
            return DivergenceCause::Bos;
        }
        let special = |id: Option<&i64>| id.is_some_and(|id| self.facts.is_special(*id));
        if special(id) && special(other) {
            return DivergenceCause::SpecialToken;
        }
        let (text, other_text) =
            (dumped.prompt.as_deref().unwrap_or_default(), ours.prompt.as_deref().unwrap_or_default());
        let blank = |text: &str| -> String { text.split_whitespace().collect() };
        if text == other_text {
            DivergenceCause::Tokenization
        } else if blank(text) == blank(other_text) {
            DivergenceCause::WhiteSpace
        } else {
            DivergenceCause::Template
        }
    }
}

fn same_ids(a: &Labelled, b: &Labelled) -> FirstDivergence {
    match a.labels.iter().zip(&b.labels).position(|(a, b)| a != b) {
        None => FirstDivergence { cause: DivergenceCause::None, token: None, detail: String::new() },
        Some(at) => FirstDivergence {
            cause: DivergenceCause::Labels,
            token: Some(at),
            detail: format!("{} supervised in the dump, {} here", a.supervised(), b.supervised()),
        },
    }
}

/// The text around a token.
fn excerpt(labelled: &Labelled, text: Option<&str>, at: usize) -> String {
    let start = labelled.spans.get(at).map_or(0, |span| span.start);
    text.and_then(|text| text.get(start..)).unwrap_or_default().chars().take(24).collect()
}
