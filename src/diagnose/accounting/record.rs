//! The account of one record under a set-up: parts, media, flags.

use std::borrow::Cow;
use std::ops::Range;

use super::flags::IgnoredFlag;
use super::media::MediaAccount;
use super::{Account, Entry, Fate, PartKind};
use crate::chat::{Conversation, MediaKind, Sample};
use crate::labels::Inspection;
use crate::masks::{Method, TemplateReads};
use crate::setup::Setup;

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordAccount {
    /// Lost parts, with their weight.
    pub lost: Vec<(Entry, Weight)>,
    pub media: Vec<MediaAccount>,
    pub flags: Vec<IgnoredFlag>,
}

impl RecordAccount {
    /// The account of a sample's labels; `None` for a record that is no conversation, or raises, and where the set-up
    /// has no chat template.
    pub fn of(setup: &Setup, sample: &Sample, inspection: &Inspection) -> Option<Self> {
        let method = setup.chat()?;
        let labelled = inspection.result.as_ref().ok()?;
        let conversation = conversation(method, sample)?;
        let prompt = inspection.prompt.as_deref()?;
        // Ids that a trainer cut spell a part of the text only; the check of max_length reports that.
        let spelled_to_the_cut = method.settings.max_length.is_some_and(|max| {
            labelled.input_ids.len() >= max && labelled.spans.last().is_some_and(|s| s.end == prompt.len())
        });
        if spelled_to_the_cut {
            return None;
        }
        let account = Account::of(&conversation, prompt, &inspection.layout);
        let lost: Vec<Entry> = account.lost().cloned().collect();
        // The template is asked only where something is to be said.
        let has_media = has_media(&conversation, sample);
        let reads = (has_media || lost.iter().any(|entry| entry.kind == PartKind::Thought))
            .then(|| method.reads(&*setup.tokenizer));
        let media = match reads.filter(|_| has_media && method.strategy.needs_template()) {
            Some(reads) => MediaAccount::of(&conversation, &sample.files, reads, inspection),
            None => Vec::new(),
        };
        let weighed = lost.into_iter().filter(|entry| !is_of_media(entry)).map(|entry| {
            let weight = weight(&entry, reads);
            (entry, weight)
        });
        Some(Self {
            lost: weighed.collect(),
            media: media.into_iter().filter(|media| media.problem().is_some()).collect(),
            flags: IgnoredFlag::of(&conversation, inspection),
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
        self.lost.is_empty() && self.media.is_empty() && self.flags.is_empty()
    }

    /// One line for each part that did not come through.
    pub fn lines(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|(entry, _)| entry.sentence());
        let media = self.media.iter().filter_map(MediaAccount::problem);
        lost.chain(media).chain(self.flags.iter().map(IgnoredFlag::sentence)).collect()
    }
}

/// The lost parts that a text which was rendered anew leaves, with their weights.
pub fn lost_of(
    method: &Method,
    reads: &TemplateReads,
    conversation: &Conversation,
    prompt: &str,
    layout: &crate::chat::PromptLayout,
) -> Vec<(Entry, Weight)> {
    let account = Account::of(conversation, prompt, layout);
    let reads = method.strategy.needs_template().then_some(reads);
    let lost = account.lost().filter(|entry| !is_of_media(entry)).cloned();
    lost.map(|entry| {
        let weight = weight(&entry, reads);
        (entry, weight)
    })
    .collect()
}

/// The conversation as the trainer gets it.
fn conversation<'s>(method: &Method, sample: &'s Sample) -> Option<Cow<'s, Conversation>> {
    let conversation = sample.conversation()?;
    Some(match method.rendering.kwargs.is_empty() {
        true => conversation,
        false => Cow::Owned(method.with_kwargs(conversation.into_owned())),
    })
}

fn has_media(conversation: &Conversation, sample: &Sample) -> bool {
    let files = &sample.files;
    let named = MediaKind::ALL.iter().any(|kind| files.of(*kind).is_some());
    named
        || sample.media > 0
        || conversation
            .messages
            .iter()
            .filter_map(|message| message.get("content")?.as_array())
            .flatten()
            .any(|part| MediaKind::ALL.iter().any(|kind| kind.part_type(part).is_some()))
}

/// A word for an image that a template or a trainer puts something else in the place of: [`MediaAccount`] counts those.
fn is_of_media(entry: &Entry) -> bool {
    let Fate::Partly(lost) = &entry.fate else { return false };
    let mut rest = lost.clone();
    MediaKind::ALL.iter().for_each(|kind| rest = rest.replace(kind.word(), ""));
    rest.replace('⋯', "").trim().is_empty()
}

/// Thoughts of the history that a template leaves out are left out on purpose, where it writes those of the last answer.
fn weight(entry: &Entry, reads: Option<&TemplateReads>) -> Weight {
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
pub fn pattern(entry: &Entry) -> String {
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
