//! Conversations as data: samples, the layouts of the files they come in, and the templates that turn them into prompts.

mod conversation;
pub mod jinja;
pub mod layout;
mod llava;
mod media;
mod other_readers;
mod plain_record;
mod prompt;
mod reader;
mod sample;
mod turn_edit;

pub use conversation::{CALL_ROLES, Conversation, REASONING_KEYS, content, reasoning, role};
pub use llava::{
    ImagePlaces, LlavaMessage, SeparatorStyle, Template, build_messages, caption_prompt, speaker_header,
    speaker_prompt,
};
pub use media::{MediaFiles, MediaKind};
pub use other_readers::{FileShape, lenient_value};
pub use plain_record::{PlainRecord, PlainTurn};
pub use prompt::{Prompt, PromptLayout, Speaker, TurnLayout};
pub use reader::{
    PeekedRows, ReadProgress, SampleFile, parse_samples, peek_rows, read_samples, read_sound_samples,
    sample_of,
};
pub use sample::{Body, Columns, SHAREGPT_ROLES, Sample, TextSegment, Turn};
