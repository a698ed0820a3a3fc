//! What the fuzz targets do with the bytes they are given, one function a format: read them through the library's own door
//! and use what comes of it. Errors are what is expected; a panic, an abort, a hang or memory without end is a find.
//!
//! `tests/hostile_inputs/fuzz_seeds.rs` compiles this file too and runs each function on its seeds.

use std::path::Path;

use maskscope::chat::jinja::{ChatTemplate, Clock, Inputs};
use maskscope::data::{Records, sources};
use maskscope::moe::checkpoint::Checkpoint;
use maskscope::tokenizer::{FileSet, LoadOptions, load};

/// A text with words, spaces, digits, marks and scripts, for a tokenizer that loads.
const TEXT: &str = "Hello  world, it's 2026!\n\t<s>漢字 é e\u{301} 👩\u{200d}👧 aaaaaaaaaaaaaaaa";

/// A format: its name, the name of its file, and what is done with it.
pub type Format = (&'static str, &'static str, fn(&[u8]));

/// All of them, by the names of the targets and of the folders of seeds.
pub const FORMATS: &[Format] = &[
    ("tokenizer_json", "tokenizer.json", |bytes| tokenizer("tokenizer.json", bytes)),
    ("sentencepiece", "tokenizer.model", |bytes| tokenizer("tokenizer.model", bytes)),
    ("tiktoken", "qwen.tiktoken", |bytes| tokenizer("qwen.tiktoken", bytes)),
    ("gguf", "model.gguf", |bytes| tokenizer("model.gguf", bytes)),
    ("tekken", "tekken.json", |bytes| tokenizer("tekken.json", bytes)),
    ("jinja", "chat_template.jinja", jinja),
    ("records", "data.jsonl", |bytes| records("data.jsonl", bytes)),
    ("parquet", "data.parquet", |bytes| records("data.parquet", bytes)),
    ("safetensors", "model.safetensors", safetensors),
];

/// Runs a format by its name.
pub fn run(name: &str, bytes: &[u8]) {
    for (_, _, target) in FORMATS.iter().filter(|(format, _, _)| *format == name) {
        target(bytes);
    }
}

/// Does the work in a folder that holds the one file.
fn in_folder(file: &str, bytes: &[u8], work: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(file), bytes).expect("written");
    work(folder.path());
}

/// Loads a tokenizer, encodes a text and decodes it.
fn tokenizer(file: &str, bytes: &[u8]) {
    in_folder(file, bytes, |folder| {
        let Ok(files) = FileSet::folder(folder) else { return };
        let Ok(tokenizer) = load("fuzzed", &files, LoadOptions::default()) else { return };
        for special in [false, true] {
            let Ok(encoding) = tokenizer.encode(TEXT, special) else { continue };
            for span in &encoding.spans {
                assert!(span.start <= span.end && span.end <= TEXT.len(), "a span outside of the text");
            }
            let _ = tokenizer.decode(&encoding.ids, special);
        }
    });
}

/// Compiles a template and renders a conversation.
fn jinja(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let Some(clock) = Clock::parse("2026-11-03T00:05:09") else { return };
    let Ok(template) = ChatTemplate::new("fuzzed", source, clock) else { return };
    let messages = [
        serde_json::json!({"role": "system", "content": "be kind"}),
        serde_json::json!({"role": "user", "content": [{"type": "text", "text": "hi"}]}),
        serde_json::json!({"role": "assistant", "content": "yes", "tool_calls": []}),
    ];
    let tools = [serde_json::json!({"type": "function", "function": {"name": "f", "parameters": {}}})];
    for tools in [None, Some(&tools[..])] {
        let inputs = Inputs { messages: &messages, tools, add_generation_prompt: true, ..Inputs::default() };
        let Ok(rendered) = template.render(&inputs) else { continue };
        for span in &rendered.spans {
            let chars = rendered.text.chars().count();
            assert!(span.displaced || span.chars.end <= chars, "a span outside of the text");
        }
    }
}

/// Reads the records of a file, and the JSON of each.
fn records(file: &str, bytes: &[u8]) {
    in_folder(file, bytes, |folder| {
        let Ok(found) = sources(&[folder.join(file)]) else { return };
        for source in &found {
            let Ok(records) = Records::open(source) else { continue };
            for record in records.take(10_000) {
                let Ok(record) = record else { break };
                let _ = record.value();
            }
        }
    });
}

/// Opens a checkpoint and reads its tensors.
fn safetensors(bytes: &[u8]) {
    in_folder("model.safetensors", bytes, |folder| {
        let Ok(checkpoint) = Checkpoint::open(folder) else { return };
        let names: Vec<String> = checkpoint.names().map(str::to_string).take(1_000).collect();
        for name in &names {
            let Ok(info) = checkpoint.info(name) else { continue };
            let _ = checkpoint.bytes(name);
            let _ = checkpoint.f32(name, &info.shape);
        }
    });
}
