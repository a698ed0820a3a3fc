//! The account of one record under a set-up: parts, media, flags.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::controls::{ControlToken, control_tokens};
use super::flags::IgnoredFlag;
use super::ledger::Ledger;
use super::media::{MediaAccount, MediaPlaces};
use super::sides::{self, SideProblem};
use super::{Account, Fate, LedgerEntry, NAMES, PartKind};
use crate::chat::{Conversation, MediaKind, PromptLayout, Sample};
use crate::labels::Inspection;
use crate::masks::{Method, TemplateReads};
use crate::setup::{Setup, stop_tokens};

/// How much a lost part matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As the template means it, or nothing that a model has to see.
    Light,
    /// The model neither reads nor learns it.
    Heavy,
}

/// A part of a record in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPart {
    pub path: String,
    pub tokens: Range<usize>,
    pub supervised: usize,
}

/// What of a record did not come through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordAccount {
    /// Lost parts, with their weight.
    pub lost: Vec<(LedgerEntry, Weight)>,
    pub media: Vec<MediaAccount>,
    pub flags: Vec<IgnoredFlag>,
    /// What is wrong with the sides of a preference row.
    pub sides: Vec<SideProblem>,
    /// Special tokens that stand in the data as text.
    pub controls: Vec<ControlToken>,
}

impl RecordAccount {
    /// The account of a sample's labels; `None` for a record that is no conversation, or raises, and where the set-up
    /// has no chat template.
    pub fn of(setup: &Setup, sample: &Sample, inspection: &Inspection) -> Option<Self> {
        let method = setup.chat()?;
        let labelled = inspection.result.as_ref().ok()?;
        let Some(conversation) = conversation(method, sample) else {
            return Self::of_sides(setup, sample, inspection);
        };
        let prompt = inspection.prompt.as_deref()?;
        // Ids that a trainer cut spell a part of the text only; the check of max_length reports that.
        let spelled_to_the_cut = method.settings.max_length.is_some_and(|max| {
            labelled.input_ids.len() >= max && labelled.spans.last().is_some_and(|s| s.end == prompt.len())
        });
        if spelled_to_the_cut {
            return None;
        }
        let account = Account::of(&conversation, prompt, &inspection.layout);
        let unread = Account::of_columns(&sample.unread, prompt);
        let lost: Vec<LedgerEntry> = account.lost().cloned().chain(unread).collect();
        // The template is asked only where something is to be said.
        let has_media = has_media(&conversation, sample, prompt);
        let reads = (has_media || lost.iter().any(|entry| entry.kind == PartKind::Thought))
            .then(|| method.reads(&*setup.tokenizer));
        let media = match reads.filter(|_| has_media && method.strategy.needs_template()) {
            Some(reads) => {
                let known = |token: &str| setup.tokenizer.token_to_id(token).is_some();
                MediaAccount::of(
                    &conversation,
                    &sample.files,
                    &MediaPlaces { reads, known: &known },
                    inspection,
                )
            }
            None => Vec::new(),
        };
        let has_files = named_media(&conversation, sample);
        let text = (prompt, labelled, &inspection.layout);
        let controls = control_tokens((method, &setup.tokenizer), &conversation, has_files, text);
        let weighed = lost.into_iter().filter(|entry| !is_of_media(entry)).map(|entry| {
            let weight = weight(&entry, reads);
            (entry, weight)
        });
        Some(Self {
            lost: weighed.collect(),
            media: media.into_iter().filter(|media| media.problem().is_some()).collect(),
            flags: IgnoredFlag::of(&conversation, inspection, method.strategy),
            sides: Vec::new(),
            controls,
        })
    }

    /// The account of a preference row, whose sides stand one behind the other; `None` for other records.
    fn of_sides(setup: &Setup, sample: &Sample, inspection: &Inspection) -> Option<Self> {
        let conversation = sides::conversation(sample)?;
        let labelled = inspection.result.as_ref().ok()?;
        let method = setup.chat()?;
        let max_length = method.settings.max_length;
        let is_cut = max_length.is_some_and(|max| labelled.input_ids.len() >= max);
        let stops = stop_tokens(&setup.tokenizer);
        let prompt = inspection.prompt.as_deref()?;
        let account = match is_cut {
            // What is not there any more was cut.
            true => Account::default(),
            false => Account::of(&conversation, prompt, &PromptLayout::default()),
        };
        let has_files = named_media(&conversation, sample);
        let text = (prompt, labelled, &PromptLayout::default());
        let lost = account.lost().filter(|entry| !is_of_media(entry)).map(|entry| {
            // The side behind is no history of this one.
            let entry = LedgerEntry { in_history: false, ..entry.clone() };
            let weight = weight(&entry, None);
            (entry, weight)
        });
        Some(Self {
            lost: lost.collect(),
            sides: sides::problems(sample, labelled, &stops.ids, is_cut),
            controls: control_tokens((method, &setup.tokenizer), &conversation, has_files, text),
            ..Self::default()
        })
    }

    /// Every part of a sample that its text has, with its tokens and how many of them are supervised.
    pub fn found(setup: &Setup, sample: &Sample, inspection: &Inspection) -> Vec<FoundPart> {
        let account = || {
            let labelled = inspection.result.as_ref().ok()?;
            let conversation = conversation(setup.chat()?, sample)?;
            let account = Account::of(&conversation, inspection.prompt.as_deref()?, &inspection.layout);
            let found = account.entries.iter().filter_map(|entry| {
                let (tokens, supervised) = entry.tokens(labelled)?;
                Some(FoundPart { path: entry.full_path(), tokens, supervised })
            });
            Some(found.collect())
        };
        account().unwrap_or_default()
    }

    /// Everything came through.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.media.is_empty()
            && self.flags.is_empty()
            && self.sides.is_empty()
            && self.controls.is_empty()
    }

    /// One line for each part that did not come through.
    pub fn lines(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|(entry, _)| entry.sentence());
        let media = self.media.iter().filter_map(MediaAccount::problem);
        let sides = self.sides.iter().map(SideProblem::sentence);
        let controls = self.controls.iter().filter(|token| token.is_harmful()).map(ControlToken::sentence);
        let flags = self.flags.iter().map(IgnoredFlag::sentence);
        lost.chain(media).chain(flags).chain(sides).chain(controls).collect()
    }
}

/// The lost parts that a text which was rendered anew leaves, with their weights.
pub fn lost_of(
    method: &Method,
    reads: &TemplateReads,
    conversation: &Conversation,
    prompt: &str,
    layout: &PromptLayout,
) -> Vec<(LedgerEntry, Weight)> {
    let account = Account::of(conversation, prompt, layout);
    let reads = method.strategy.needs_template().then_some(reads);
    let lost = account.lost().filter(|entry| !is_of_media(entry)).cloned();
    lost.map(|entry| {
        let weight = weight(&entry, reads);
        (entry, weight)
    })
    .collect()
}

/// Texts of a conversation that it has no more after a change, which is a loss too: a system text that was left out is in
/// no prompt.
pub fn texts_taken_out(before: &Conversation, after: &Conversation) -> usize {
    let kept: Vec<String> = texts_of(after).into_iter().map(|(_, text)| text).collect();
    let kept = kept.join("\n");
    let mut ledger = Ledger::new(&kept);
    let everywhere = ledger.everywhere();
    let mut wanted = texts_of(before);
    // A short text may stand in a long one.
    wanted.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
    let gone = |(value, _): &&(Value, String)| !ledger.value(value, &everywhere).is_found();
    wanted.iter().filter(gone).count()
}

/// Everything that messages and tools say, tool arguments that are JSON opened, media left out.
fn texts_of(conversation: &Conversation) -> Vec<(Value, String)> {
    let mut texts = Vec::new();
    let mut say = |value: &Value| {
        let opened = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let opened = opened.filter(|opened| opened.is_object() || opened.is_array());
        texts_in(opened.as_ref().unwrap_or(value), &mut texts);
    };
    for message in &conversation.messages {
        let is_medium = |part: &&Value| MediaKind::ALL.iter().any(|kind| kind.part_type(part).is_some());
        for (key, value) in message.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                (key, _) if NAMES.contains(&key) => {}
                ("content", Value::Array(parts)) => {
                    let said = parts.iter().filter(|part| !is_medium(part));
                    said.for_each(|part| say(part.get("text").unwrap_or(part)));
                }
                (_, value) => say(value),
            }
        }
    }
    conversation.tools.iter().flatten().for_each(&mut say);
    texts
}

fn texts_in(value: &Value, texts: &mut Vec<(Value, String)>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => texts.push((value.clone(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
        Value::Object(map) => {
            let said = map.iter().filter(|(key, _)| !NAMES.contains(&key.as_str()));
            said.for_each(|(_, value)| texts_in(value, texts));
        }
        _ => {}
    }
}

/// The conversation as the trainer gets it.
fn conversation<'s>(method: &Method, sample: &'s Sample) -> Option<Cow<'s, Conversation>> {
    let conversation = sample.conversation()?;
    Some(match method.rendering.kwargs.is_empty() {
        true => conversation,
        false => Cow::Owned(method.with_kwargs(conversation.into_owned())),
    })
}

fn has_media(conversation: &Conversation, sample: &Sample, prompt: &str) -> bool {
    let typed = || MediaKind::ALL.iter().any(|kind| kind.tokens().iter().any(|token| prompt.contains(token)));
    MediaKind::ALL.iter().any(|kind| sample.files.of(*kind).is_some())
        || named_media(conversation, sample)
        || typed()
}

/// True for a record that brings media, in a column or as parts of messages.
fn named_media(conversation: &Conversation, sample: &Sample) -> bool {
    MediaKind::ALL.iter().any(|kind| sample.files.of(*kind).is_some_and(|count| count > 0))
        || sample.media > 0
        || conversation
            .messages
            .iter()
            .filter_map(|message| message.get("content")?.as_array())
            .flatten()
            .any(|part| MediaKind::ALL.iter().any(|kind| kind.part_type(part).is_some()))
}

/// A word for an image that a template or a trainer puts something else in the place of: [`MediaAccount`] counts those.
fn is_of_media(entry: &LedgerEntry) -> bool {
    let Fate::Partly(lost) = &entry.fate else { return false };
    let mut rest = lost.clone();
    MediaKind::ALL.iter().for_each(|kind| rest = rest.replace(kind.word(), ""));
    rest.replace('⋯', "").trim().is_empty()
}

/// Thoughts of the history that a template leaves out are left out on purpose, where it writes those of the last answer.
fn weight(entry: &LedgerEntry, reads: Option<&TemplateReads>) -> Weight {
    match entry.kind {
        PartKind::Other => Weight::Light,
        PartKind::Thought if entry.in_history => {
            let in_content = entry.path.starts_with("content");
            let carries = |reads: &TemplateReads| match in_content {
                true => reads.thought_in_content,
                false => reads.thought_field,
            };
            if reads.is_none_or(carries) { Weight::Light } else { Weight::Heavy }
        }
        _ => Weight::Heavy,
    }
}

/// `messages[].reasoning_content`: a path without its numbers, by which records are counted.
pub fn pattern(entry: &LedgerEntry) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in entry.full_path().chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}
