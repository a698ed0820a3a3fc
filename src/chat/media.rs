//! Images, videos and audio in a record: the files that it names, and the parts of messages that stand for one.

use serde_json::Value;

/// What a file or a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    Image,
    Video,
    Audio,
}

impl MediaKind {
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Audio];

    /// The types of parts, as OpenAI's and the processors' messages name them.
    pub const PART_TYPES: [(Self, &'static str); 7] = [
        (Self::Image, "image"),
        (Self::Image, "image_url"),
        (Self::Video, "video"),
        (Self::Video, "video_url"),
        (Self::Audio, "audio"),
        (Self::Audio, "audio_url"),
        (Self::Audio, "input_audio"),
    ];

    /// In texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }

    /// The word that LLaVA-like data has in a text in the place of one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "<image>",
            Self::Video => "<video>",
            Self::Audio => "<audio>",
        }
    }

    /// Tokens that stand for one in the texts of models that see or hear, each once for a file.
    pub fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["<|image_pad|>", "<image_soft_token>", "<|image|>", "[IMG]", "<IMG_CONTEXT>"],
            Self::Video => &["<|video_pad|>", "<|video|>"],
            Self::Audio => &["<|audio_pad|>", "<|AUDIO|>", "<audio_soft_token>"],
        }
    }

    /// The columns, and keys of a message, that name files.
    fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Image => ["image", "images"],
            Self::Video => ["video", "videos"],
            Self::Audio => ["audio", "audios"],
        }
    }

    /// The type of a part that stands for one of this kind.
    pub fn part_type(self, part: &Value) -> Option<&str> {
        let part_type = part.get("type")?.as_str()?;
        Self::PART_TYPES.iter().any(|(kind, name)| *kind == self && *name == part_type).then_some(part_type)
    }
}

/// How many files a record names beside what it says; `None` where it has no such column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaFiles {
    pub images: Option<usize>,
    pub videos: Option<usize>,
    pub audios: Option<usize>,
}

impl MediaFiles {
    /// The files of a record's columns, and of its messages' own keys.
    pub fn of_row(row: &Value, messages: &[Value]) -> Self {
        let count = |kind: MediaKind| {
            let rows = std::iter::once(row).chain(messages);
            let named = rows.flat_map(|owner| kind.columns().into_iter().filter_map(|key| owner.get(key)));
            let counts: Vec<usize> = named.filter(|value| !value.is_null()).map(files).collect();
            (!counts.is_empty()).then(|| counts.iter().sum())
        };
        Self {
            images: count(MediaKind::Image),
            videos: count(MediaKind::Video),
            audios: count(MediaKind::Audio),
        }
    }

    /// The number of one kind.
    pub fn of(&self, kind: MediaKind) -> Option<usize> {
        match kind {
            MediaKind::Image => self.images,
            MediaKind::Video => self.videos,
            MediaKind::Audio => self.audios,
        }
    }
}

fn files(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().filter(|item| !item.is_null()).count(),
        Value::Null => 0,
        Value::String(path) => usize::from(!path.is_empty()),
        _ => 1,
    }
}
