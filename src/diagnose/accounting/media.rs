//! Images, videos and audio of a record against their places in the text that is trained on.

use std::ops::Range;

use serde_json::Value;

use crate::chat::{Conversation, MediaFiles, MediaKind};
use crate::labels::{IGNORE_INDEX, Inspection};
use crate::masks::TemplateReads;

/// What stands for media in a text.
pub struct MediaPlaces<'a> {
    pub reads: &'a TemplateReads,
    /// True for a text that is a token.
    pub known: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for MediaPlaces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaPlaces").field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl MediaPlaces<'_> {
    /// The texts of a template's places, else the tokens of this vocabulary that models of images take for one.
    fn of(&self, kind: MediaKind) -> Vec<&str> {
        let own = self.reads.places_of(kind);
        match own.is_empty() {
            true => kind.tokens().iter().copied().filter(|token| (self.known)(token)).collect(),
            false => own,
        }
    }
}

/// One kind of media in one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaAccount {
    pub kind: MediaKind,
    /// Files that the record names; `None` where it has no column for them.
    pub files: Option<usize>,
    /// Parts of messages that stand for one.
    pub parts: usize,
    /// Of these, parts of a type that the template writes nothing for, with the type.
    pub dropped: Vec<String>,
    /// Places in the text.
    pub places: usize,
    /// The word `<image>` in a message that stays a text.
    pub words: usize,
    /// Tokens of places that are supervised.
    pub learned: usize,
    /// Places behind the last token.
    pub cut: usize,
    /// The last token lies within a place.
    pub cut_through: bool,
}

impl MediaAccount {
    /// Every kind that the record has anything of.
    pub fn of(
        conversation: &Conversation,
        files: &MediaFiles,
        places: &MediaPlaces<'_>,
        inspection: &Inspection,
    ) -> Vec<Self> {
        let kinds = MediaKind::ALL.into_iter();
        kinds
            .filter_map(|kind| Self::of_kind(kind, conversation, files.of(kind), places, inspection))
            .collect()
    }

    fn of_kind(
        kind: MediaKind,
        conversation: &Conversation,
        files: Option<usize>,
        stands_for: &MediaPlaces<'_>,
        inspection: &Inspection,
    ) -> Option<Self> {
        let contents = || conversation.messages.iter().filter_map(|message| message.get("content"));
        let parts = || contents().filter_map(Value::as_array).flatten();
        let types: Vec<&str> = parts().filter_map(|part| kind.part_type(part)).collect();
        let texts = contents().filter_map(Value::as_str);
        let texts = texts.chain(parts().filter_map(|part| part.get("text")?.as_str()));
        let word_count: usize = texts.map(|text| text.matches(kind.word()).count()).sum();
        let prompt = inspection.prompt.as_deref()?;
        let labelled = inspection.result.as_ref().ok()?;
        let marks = stands_for.of(kind);
        let typed = || marks.iter().any(|mark| prompt.contains(mark));
        if types.is_empty() && files.is_none() && word_count == 0 && !typed() {
            return None;
        }
        let places: Vec<Range<usize>> = marks
            .iter()
            .flat_map(|mark| prompt.match_indices(mark).map(|(at, mark)| at..at + mark.len()))
            .collect();
        let end = labelled.spans.last().map_or(0, |span| span.end);
        let is_learned = |(span, label): &(&Range<usize>, &i64)| {
            let meets = |place: &Range<usize>| span.start < place.end && place.start < span.end;
            **label != IGNORE_INDEX && places.iter().any(meets)
        };
        let learned = match places.is_empty() {
            true => 0,
            false => labelled.spans.iter().zip(&labelled.labels).filter(is_learned).count(),
        };
        let dropped = types.iter().filter(|part_type| !stands_for.reads.takes(part_type));
        Some(Self {
            kind,
            files,
            parts: types.len(),
            dropped: dropped.map(ToString::to_string).collect(),
            cut: places.iter().filter(|place| place.end > end).count(),
            cut_through: places.iter().any(|place| (place.start + 1..place.end).contains(&end)),
            learned,
            words: if marks.contains(&kind.word()) { 0 } else { word_count },
            places: places.len(),
        })
    }

    /// How many there are: files where the record has a column, else parts of messages.
    pub fn wanted(&self) -> usize {
        self.files.unwrap_or(self.parts)
    }

    /// What is wrong, in a sentence; `None` where every file has its place.
    pub fn problem(&self) -> Option<String> {
        let Self { places, words, learned, cut, cut_through, .. } = self;
        let (name, wanted) = (self.kind.name(), self.wanted());
        let counts = format!("{places} places for {wanted} {name} files");
        if *places != wanted {
            let why = match (self.dropped.first(), *words) {
                (Some(part_type), _) => {
                    format!(": the template writes nothing for parts of type {part_type}")
                }
                (None, 1..) if wanted > 0 => format!(": {} stays a text", self.kind.word()),
                _ if wanted > *places => String::new(),
                _ => format!(": a place without {}", if name == "audio" { "its audio" } else { "its file" }),
            };
            return Some(counts + &why);
        }
        if *learned > 0 {
            let article = if self.kind == MediaKind::Video { "a" } else { "an" };
            return Some(format!(
                "{learned} tokens that stand for {article} {name} are supervised: the model learns to write them"
            ));
        }
        let through = if *cut_through { ", and the cut goes through one of them" } else { "" };
        (*cut > 0).then(|| format!("{cut} of {counts} lie behind max_length{through}"))
    }
}
