//! Conversations as data: samples, the files they come in, and the templates that turn them into prompts.

pub mod jinja;
mod llava;
mod plain_record;
mod reader;
mod sample;

pub use llava::{SeparatorStyle, Template, build_messages, speaker_prompt};
pub use plain_record::{PlainRecord, PlainTurn};
pub use reader::{parse_samples, read_samples, sample_of};
pub use sample::{Sample, Turn};
