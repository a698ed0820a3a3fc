//! Tokenizer files.

use serde_json::{Value, json};

use crate::formats::{Gguf, ranks, tokenizer_json, tokenizer_with, vocabulary};
use crate::run::{Ran, folder, run};

/// Encodes a text with a tokenizer of these files; `text` is the text as JSON.
fn encode(name: &str, files: &[(&str, Vec<u8>)], options: &[&str], text: &str) -> Ran {
    let dir = folder(files);
    let arguments = [&["encode", "-t", ".", "--format", "jsonl"], options].concat();
    run(name, dir.path(), &arguments, text.as_bytes())
}

/// The same with a `tokenizer.json` alone.
fn encode_json(name: &str, json: Vec<u8>, text: &str) -> Ran {
    encode(name, &[("tokenizer.json", json)], &[], text)
}

fn part(name: &str, part: &str, value: Value, text: &str) -> Ran {
    encode_json(name, tokenizer_with(part, value), text)
}

fn bpe(prefix: &str, vocab: &[&str], merges: Value) -> Vec<u8> {
    let vocab: serde_json::Map<String, Value> =
        vocab.iter().enumerate().map(|(id, token)| (token.to_string(), json!(id))).collect();
    tokenizer_with(
        "model",
        json!({"type": "BPE", "continuing_subword_prefix": prefix, "vocab": vocab, "merges": merges}),
    )
}

fn regex(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn replace(from: Value, to: &str) -> Value {
    json!({"type": "Replace", "pattern": from, "content": to})
}

fn sequence(step: Value, times: usize) -> Value {
    json!({"type": "Sequence", "normalizers": vec![step; times]})
}

#[test]
fn merges_that_cut_or_leave_their_tokens() {
    let cut = bpe("#", &["a", "漢", "a漢"], json!([["a", "漢"]]));
    encode_json("a prefix cuts a character", cut, "\"a漢\"").refused(&["tokenizer.json", "merge"]);
    let short = bpe("##", &["a", "b", "ab"], json!(["a b"]));
    encode_json("a prefix longer than its token", short, "\"ab\"").refused(&["tokenizer.json", "merge"]);
    let long = bpe("", &["a", "b"], json!(["a b"]));
    encode_json("a merge without a token", long, "\"ab\"").refused(&["tokenizer.json", "merge"]);
    let gguf = Gguf::default()
        .entry("tokenizer.ggml.model", 8, &Gguf::string("gpt2"))
        .texts("tokenizer.ggml.tokens", &["a", "b", "\u{1b}[31m"])
        .texts("tokenizer.ggml.merges", &["a \u{1b}[31m"])
        .build();
    encode("merges of a GGUF", &[("model.gguf", gguf)], &[], "\"ab\"").refused(&["model.gguf", "merge"]);
}

#[test]
fn parts_that_panic_in_the_library() {
    for map in ["AAA=", "!", "AAAAAA=="] {
        let step = json!({"type": "Precompiled", "precompiled_charsmap": map});
        part("rules cut short", "normalizer", step.clone(), "\"a\"").refused(&["tokenizer.json"]);
        let nested = json!({"type": "Sequence", "normalizers": [step]});
        part("the same in a sequence", "normalizer", nested, "\"a\"").refused(&["tokenizer.json"]);
    }
    part("an empty text to replace", "normalizer", replace(json!({"String": ""}), "x"), "\"ab\"")
        .refused(&["tokenizer.json"]);
    let fixed = json!({"type": "FixedLength", "length": 0});
    part("words of no length", "pre_tokenizer", fixed, "\"ab\"").refused(&["tokenizer.json", "length"]);
    let template = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {}});
    part("a template without its token", "post_processor", template, "\"ab\"")
        .refused(&["tokenizer.json", "[X]"]);
    let second = json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {}});
    part("a template of the second text", "post_processor", second, "\"ab\"").refused(&["tokenizer.json"]);
    let mut broken = tokenizer_json().to_string();
    broken = broken
        .replace("\"trim_offsets\":true,\"use_regex\":true},\"model\"", "\"trim_offsets\":tru},\"model\"");
    encode_json("broken JSON in the decoder", broken.into_bytes(), "\"ab\"").refused(&["tokenizer.json"]);
}

#[test]
fn patterns_that_try_without_end() {
    let text = format!("{:?}", "a".repeat(60));
    part("a pattern with retries", "pre_tokenizer", regex("(a|aa)+c"), &text).refused(&["pattern"]);
    let ranks = ranks([b"ab".to_vec()].into_iter());
    let files = [("some.tiktoken", ranks)];
    encode("a pattern of an option", &files, &["--split-pattern", "(a|aa)+c"], &text).refused(&["pattern"]);
    let text = format!("{:?}", "a".repeat(4000));
    // One search that takes a minute: it ends with the process, not with its sample.
    part("a slow pattern", "pre_tokenizer", regex("a*a*[^a]"), &text).refused(&["line 1", "too long"]);
    part("a slow pattern that matches", "pre_tokenizer", regex("a*a*[^a]|a"), &text).refused(&["pattern"]);
    part("the same in a normalizer", "normalizer", replace(json!({"Regex": "a*a*[^a]|a"}), "a"), &text)
        .refused(&["pattern"]);
}

#[test]
fn texts_that_grow() {
    let tenfold = sequence(replace(json!({"String": "a"}), "aaaaaaaaaa"), 8);
    part("replacing that grows", "normalizer", tenfold, "\"a\"").refused(&["grow"]);
    let prepend = sequence(json!({"type": "Prepend", "prepend": "x".repeat(1 << 20)}), 100);
    part("texts put before", "normalizer", prepend, "\"a\"").refused(&["grow"]);
    let long = replace(json!({"String": "a"}), &"b".repeat(1 << 20));
    let text = format!("{:?}", "a".repeat(1 << 14));
    part("one step that grows", "normalizer", long, &text).refused(&["grow"]);
    let all = vec![json!({"Sequence": {"id": "A", "type_id": 0}}); 200_000];
    let template = json!({"type": "TemplateProcessing", "single": all, "pair": [
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {}});
    part("a text 200,000 times", "post_processor", template, "\"abababab\"").refused(&["tokenizer.json"]);
}

#[test]
fn files_that_cost_more_than_their_bytes() {
    let cubic = (2..2200usize).map(|n| vec![b'a'; n]);
    encode("merges by the million", &[("some.tiktoken", ranks(cubic))], &[], "\"aaaa\"")
        .refused(&["some.tiktoken", "merges"]);
    let items = vec![1u8; 120_000_000];
    let gguf = Gguf::default()
        .entry("tokenizer.ggml.model", 8, &Gguf::string("llama"))
        .list("tokenizer.ggml.scores", 0, items.len(), &items)
        .build();
    encode("an array of a GGUF", &[("model.gguf", gguf)], &[], "\"a\"").refused(&["model.gguf", "items"]);
    let big = format!("{{\"x\": [{}1]}}", "1,".repeat(30_000_000));
    let files = [
        ("tokenizer.json", tokenizer_json().to_string().into_bytes()),
        ("tokenizer_config.json", big.into_bytes()),
    ];
    encode("a large configuration", &files, &[], "\"a\"").refused(&["tokenizer_config.json"]);
    let decoder = json!({"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder":
        {"4294967295": {"content": "<x>", "special": true}}});
    let files = [
        ("vocab.json", Value::from(vocabulary()).to_string().into_bytes()),
        ("merges.txt", b"#version: 0.2\na b\n".to_vec()),
        ("tokenizer_config.json", decoder.to_string().into_bytes()),
    ];
    let dir = folder(&files);
    for command in
        [&["special", "-t", "."][..], &["inspect", "-t", "."], &["frame", "-t", ".", "--screen", "special"]]
    {
        run("the last id of all", dir.path(), command, b"");
    }
}

#[test]
fn special_tokens_by_the_thousand() {
    let tekken = |special: usize, listed: usize| {
        let encode = |b: u8| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [b]);
        let vocab: Vec<Value> = (0..=255u8).map(|b| json!({"rank": b, "token_bytes": encode(b)})).collect();
        let tokens: Vec<Value> =
            (0..listed).rev().map(|n| json!({"rank": n, "token_str": format!("<{n}>")})).collect();
        json!({"config": {"pattern": ".", "default_vocab_size": special + 256,
            "default_num_special_tokens": special}, "vocab": vocab, "special_tokens": tokens})
        .to_string()
        .into_bytes()
    };
    encode("special tokens backwards", &[("tekken.json", tekken(60_000, 60_000))], &[], "\"ab\"");
    encode("special tokens without names", &[("tekken.json", tekken(100_000, 60_000))], &[], "\"ab\"");
    let added: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("<x{n}>"), json!(260 + n))).collect();
    let files = [
        ("vocab.json", Value::from(vocabulary()).to_string().into_bytes()),
        ("merges.txt", b"#version: 0.2\na b\n".to_vec()),
        ("added_tokens.json", Value::from(added).to_string().into_bytes()),
        ("tokenizer_config.json", b"{\"tokenizer_class\": \"GPT2Tokenizer\"}".to_vec()),
    ];
    for loader in ["slow", "fast"] {
        encode("added tokens", &files, &["--transformers", "4.31", "--loader", loader], "\"ab<x7>\"").done();
    }
}
