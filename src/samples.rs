//! What is built into the program: four tokenizers and a set of conversations, so that it works with no network.

use std::path::Path;

use crate::chat::{Sample, parse_samples};
use crate::data::Records;
use crate::error::Result;
use crate::tokenizer::FileSet;

/// What stands before the name of an embedded sample where a file or a hub id could be meant.
pub const SAMPLE_PREFIX: &str = "sample:";

macro_rules! tokenizer_files {
    ($folder:literal: $($file:literal),+) => {
        &[$(($file, include_bytes!(concat!("../samples/tokenizers/", $folder, "/", $file)) as &[u8])),+]
    };
}

/// An embedded tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct SampleTokenizer {
    pub name: &'static str,
    /// What it is good for, in a line.
    pub summary: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

/// The embedded tokenizers.
pub const TOKENIZERS: &[SampleTokenizer] = &[
    SampleTokenizer {
        name: "phi-2",
        summary: "CodeGen class, byte-level BPE: bos, eos and unk are one token; can add tokens",
        files: tokenizer_files!("phi-2": "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"),
    },
    SampleTokenizer {
        name: "stablelm-2",
        summary: "Arcade100k class, tiktoken ranks: has no unk; cannot add tokens",
        files: tokenizer_files!("stablelm-2": "arcade100k.tiktoken", "tokenizer_config.json"),
    },
    SampleTokenizer {
        name: "qwen",
        summary: "first-generation Qwen class, tiktoken ranks: names no special token; its list is closed but large",
        files: tokenizer_files!("qwen": "qwen.tiktoken", "tokenizer_config.json"),
    },
    SampleTokenizer {
        name: "mistral",
        summary: "Llama class, SentencePiece: puts bos first and has all roles but pad",
        files: tokenizer_files!("mistral": "tokenizer.model", "special_tokens_map.json", "tokenizer_config.json"),
    },
];

impl SampleTokenizer {
    /// The sample of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TOKENIZERS.iter().find(|t| t.name == name)
    }

    /// Its files, in the hub's own formats.
    pub fn files(&self) -> FileSet {
        FileSet::embedded(&format!("sample:{}", self.name), self.files)
    }
}

/// An embedded chat template.
#[derive(Debug, Clone, Copy)]
pub struct SampleTemplate {
    pub name: &'static str,
    /// The fault planted in it.
    pub summary: &'static str,
    pub source: &'static str,
}

macro_rules! chat_template {
    ($name:literal, $summary:literal) => {
        SampleTemplate {
            name: $name,
            summary: $summary,
            source: include_str!(concat!("../samples/templates/", $name, ".jinja")),
        }
    };
}

/// The embedded chat templates; all write ChatML.
pub const CHAT_TEMPLATES: &[SampleTemplate] = &[
    chat_template!(
        "chatml-think",
        "thoughts are kept behind the last question only: history reads otherwise"
    ),
    chat_template!("chatml-late-stop", "the end of a turn stands behind the generation tag"),
    chat_template!("chatml-learned-header", "the generation tag begins before the header"),
    chat_template!("chatml-macro-tag", "the generation tag stands in a macro"),
    chat_template!("chatml-no-tag", "there is no generation tag"),
    chat_template!("chatml-forced-think", "the generation prompt opens a thought that answers lack"),
    chat_template!("chatml-no-prompt", "add_generation_prompt is not looked at"),
];

impl SampleTemplate {
    /// The template of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CHAT_TEMPLATES.iter().find(|template| template.name == name)
    }
}

/// An embedded data file.
#[derive(Debug, Clone, Copy)]
pub struct SampleConversation {
    /// Folder under `samples/`.
    folder: &'static str,
    /// File name in it.
    pub file: &'static str,
    /// The feature or fault planted in it.
    pub summary: &'static str,
    json: &'static [u8],
}

macro_rules! data_file {
    ($folder:literal, $file:literal, $summary:literal) => {
        SampleConversation {
            folder: $folder,
            file: $file,
            summary: $summary,
            json: include_bytes!(concat!("../samples/", $folder, "/", $file)),
        }
    };
}

macro_rules! conversation {
    ($file:literal, $summary:literal) => {
        data_file!("conversations", $file, $summary)
    };
}

macro_rules! messages {
    ($file:literal, $summary:literal) => {
        data_file!("chat", $file, $summary)
    };
}

/// The embedded conversations, the one that opens first in front.
pub const CONVERSATIONS: &[SampleConversation] = &[
    conversation!("01-three-rounds.json", "an image and three rounds: shows faults that one round hides"),
    conversation!("02-one-round.json", "one short round: passes by accident under a wrong rule"),
    conversation!("03-no-image.json", "two rounds of text: takes the branch without an image"),
    conversation!("04-video.json", "a video: eight image positions"),
    conversation!("05-many-images.json", "three images in one turn"),
    conversation!("06-literal-separator.json", "the separator's text inside a turn splits the round"),
    conversation!("07-literal-role.json", "the answer's mark inside a question: three parts instead of two"),
    conversation!("08-empty-answer.json", "an empty answer: the round never gets its mark"),
    conversation!("09-ends-on-user.json", "ends on a question: all earlier rounds are lost too"),
    conversation!("10-scripts.json", "Chinese, Arabic, emoji, combining marks"),
    conversation!("11-control-characters.json", "control characters and terminal escapes"),
    conversation!("12-very-long-turn.json", "a turn of two thousand tokens: the answer is cut away"),
    conversation!("13-wrong-role.json", "a speaker that the code does not know: KeyError"),
    conversation!("14-pad-in-text.json", "the pad token's text inside a turn"),
];

impl SampleConversation {
    /// The conversations of this file.
    pub fn samples(&self) -> Result<Vec<Sample>> {
        parse_samples(self.json, &Path::new("samples").join(self.folder).join(self.file))
    }
}

/// All embedded conversations, in order.
pub fn conversations() -> Result<Vec<Sample>> {
    let mut all = Vec::new();
    for file in CONVERSATIONS {
        all.extend(file.samples()?);
    }
    Ok(all)
}

/// The embedded conversations of messages, for chat templates.
pub const MESSAGES: &[SampleConversation] = &[
    messages!("01-thoughts-and-tool.json", "thoughts, a tool call and its answer"),
    messages!("02-two-rounds.json", "a system text and two rounds; an answer begins with a digit"),
    messages!("03-line-break-first.json", "an answer begins with a line break, which joins the header"),
];

/// All embedded conversations of messages, in order.
pub fn messages() -> Result<Vec<Sample>> {
    let mut all = Vec::new();
    for file in MESSAGES {
        all.extend(file.samples()?);
    }
    Ok(all)
}

/// Embedded conversations as a stream of records: each file is an array, one behind the other.
pub fn records(files: &[SampleConversation]) -> Records {
    let bytes: Vec<u8> = files.iter().flat_map(|file| file.json.iter().copied().chain([b'\n'])).collect();
    let folder = files.first().map_or("", |file| file.folder);
    Records::new(format!("samples/{folder}"), Box::new(std::io::Cursor::new(bytes)))
}
