//! A search for further inputs of the kind: mutants of small sound files and random templates, through the command line.
//!
//! ```sh
//! MASKSCOPE_FUZZ_SECONDS=60 cargo test --test hostile_inputs hunt -- --ignored --nocapture
//! ```
//!
//! `MASKSCOPE_FUZZ_SEED` repeats a search; the files of a mutant that fails stay in a folder that is printed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::formats::{Gguf, ranks, safetensors, tokenizer_json, vocabulary};
use crate::run::run;

/// xorshift: the same mutants for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A file of a mutant by its name.
type Files = Vec<(&'static str, Vec<u8>)>;

/// A format: how a mutant is made, and the command that reads it.
struct Format {
    name: &'static str,
    command: &'static [&'static str],
    make: fn(&mut Random) -> Files,
}

const INSPECT: &[&str] = &["inspect", "-t", ".", "--format", "jsonl"];

const FORMATS: &[Format] = &[
    Format {
        name: "tokenizer.json",
        command: INSPECT,
        make: |r| vec![("tokenizer.json", json_mutant(pipeline(r), r))],
    },
    Format { name: "vocab.json and beside", command: INSPECT, make: beside },
    Format {
        name: "tiktoken",
        command: INSPECT,
        make: |r| {
            vec![("some.tiktoken", bytes_mutant(ranks([b"ab".to_vec(), b"abc".to_vec()].into_iter()), r))]
        },
    },
    Format { name: "tekken", command: INSPECT, make: |r| vec![("tekken.json", json_mutant(tekken(), r))] },
    Format { name: "gguf", command: INSPECT, make: |r| vec![("model.gguf", bytes_mutant(gguf(r), r))] },
    Format {
        name: "template",
        command: &["inspect", "--template", "t.jinja", "-d", "m.jsonl", "--format", "jsonl"],
        make: |r| vec![("t.jinja", statements(r, 4).into_bytes()), ("m.jsonl", MESSAGES.into())],
    },
    Format {
        name: "records",
        command: &["scan", "-d", "d.jsonl", "--format", "json"],
        make: |r| vec![("d.jsonl", records(r))],
    },
    Format {
        name: "parquet",
        command: &["scan", "-d", "d.parquet", "--format", "json"],
        make: |r| {
            vec![("d.parquet", bytes_mutant(include_bytes!("../parquet/rows.zstd.parquet").to_vec(), r))]
        },
    },
    Format {
        name: "safetensors",
        command: &["moe", "route", "--checkpoint", "."],
        make: |r| {
            let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
            vec![
                ("model.safetensors", bytes_mutant(safetensors(header), r)),
                ("config.json", json_mutant(config(), r)),
            ]
        },
    },
];

const MESSAGES: &str =
    r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}"#;

#[test]
#[ignore = "a search with new seeds, for MASKSCOPE_FUZZ_SECONDS a format"]
fn hunt() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("MASKSCOPE_FUZZ_SECONDS").expect("MASKSCOPE_FUZZ_SECONDS is a number");
    let only = std::env::var("MASKSCOPE_FUZZ_FORMAT").unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("MASKSCOPE_FUZZ_SEED").unwrap_or(now.as_nanos() as u64 | 1);
    println!("MASKSCOPE_FUZZ_SEED={seed}");
    let mut failures = Vec::new();
    for (n, format) in FORMATS.iter().enumerate().filter(|(_, format)| format.name.contains(&only)) {
        let mut random = Random(seed ^ ((n as u64 + 1) << 40));
        let (begin, mut mutants, mut slowest) = (Instant::now(), 0, Duration::ZERO);
        while begin.elapsed().as_secs() < seconds {
            let dir = tempfile::tempdir().expect("a folder");
            for (name, bytes) in (format.make)(&mut random) {
                std::fs::write(dir.path().join(name), bytes).expect("written");
            }
            mutants += 1;
            let step = Instant::now();
            let ran = std::panic::catch_unwind(|| run(format.name, dir.path(), format.command, b""));
            slowest = slowest.max(step.elapsed());
            if ran.is_err() {
                failures.push(format!("{}: {}", format.name, dir.keep().display()));
            }
        }
        println!("{:24} {mutants:6} mutants, the slowest {slowest:?}", format.name);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn bytes_mutant(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let len = random.below(24).min(bytes.len() - at);
        match random.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let copy = bytes[at..at + len].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => drop(bytes.splice(at..at + len, *b"4294967295")),
            5 => drop(bytes.splice(at..at + len, [0xFF; 8])),
            6 => drop(bytes.splice(at..at, "\u{1b}[31m\u{202e}".bytes())),
            _ => drop(bytes.splice(at..at, [0])),
        }
    }
    bytes
}

/// One to three values of a JSON tree replaced, removed or copied elsewhere.
fn json_mutant(mut json: Value, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let count = nodes(&json);
        let copy = node(&mut json, &mut random.below(count)).cloned();
        let target = node(&mut json, &mut random.below(count));
        let replacement = match random.below(14) {
            0 => Value::Null,
            1 => json!(-1),
            2 => json!(0),
            3 => json!(u32::MAX),
            4 => json!(1e308),
            5 => json!(""),
            6 => json!("\u{1b}[31m\u{202e}x"),
            7 => json!([]),
            8 => json!({}),
            9 => json!("a".repeat(1 << random.below(16))),
            10 => json!(vec![copy.clone(); 1 << random.below(8)]),
            11 => {
                json!(random.of(&["(a|aa)+c", "a*", "", "(?<!a+)b", "\\p{L}+|", "(", "[[:alpha:]]{99999}"]))
            }
            12 => json!(true),
            _ => copy.unwrap_or_default(),
        };
        if let Some(target) = target {
            *target = replacement;
        }
    }
    let text = json.to_string().into_bytes();
    if random.below(8) == 0 { bytes_mutant(text, random) } else { text }
}

fn nodes(json: &Value) -> usize {
    1 + match json {
        Value::Array(items) => items.iter().take(64).map(nodes).sum(),
        Value::Object(map) => map.values().take(64).map(nodes).sum(),
        _ => 0,
    }
}

fn node<'v>(json: &'v mut Value, index: &mut usize) -> Option<&'v mut Value> {
    if *index == 0 {
        return Some(json);
    }
    *index -= 1;
    match json {
        Value::Array(items) => items.iter_mut().take(64).find_map(|item| node(item, index)),
        Value::Object(map) => map.values_mut().take(64).find_map(|item| node(item, index)),
        _ => None,
    }
}

/// A pipeline of random steps, so that mutants reach all of them.
fn pipeline(random: &mut Random) -> Value {
    let mut json = tokenizer_json();
    let text = json!({"String": "a"});
    let normalizers = [
        json!(null),
        json!({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "StripAccents"}]}),
        json!({"type": "Replace", "pattern": text, "content": "bb"}),
        json!({"type": "Replace", "pattern": {"Regex": "a+|b*"}, "content": "▁"}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}),
        json!({"type": "Prepend", "prepend": "▁"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "ByteLevel"}),
    ];
    let split = |pattern: &Value, behavior: &str| json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false});
    let pre_tokenizers = [
        json["pre_tokenizer"].clone(),
        split(&text, "MergedWithPrevious"),
        split(&json!({"Regex": "\\w+|\\s"}), "Contiguous"),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true}),
        json!({"type": "FixedLength", "length": 3}),
        json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "Digits", "individual_digits": true}]}),
        json!({"type": "CharDelimiterSplit", "delimiter": "b"}),
        json!({"type": "UnicodeScripts"}),
        json!({"type": "BertPreTokenizer"}),
    ];
    let pair = json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]);
    let processors = [
        json!(null),
        json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": pair, "special_tokens": {"x": {"id": "x", "ids": [1], "tokens": ["x"]}}}),
        json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": true}),
        json!({"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 0]}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}),
    ];
    let decoders = [
        json["decoder"].clone(),
        json!({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": true}),
        json!({"type": "BPEDecoder", "suffix": "</w>"}),
    ];
    let models = [
        json["model"].clone(),
        json!({"type": "BPE", "vocab": {"a": 0, "b": 1, "##b": 2, "ab": 3, "漢": 4}, "merges": [["a", "##b"]],
            "continuing_subword_prefix": "##", "end_of_word_suffix": "", "unk_token": "a", "byte_fallback": true}),
        json!({"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1, "##b": 2}, "unk_token": "[UNK]",
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}),
        json!({"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"}),
        json!({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0], ["ab", -2.5], ["▁", -3.0]], "byte_fallback": false}),
    ];
    let mut pick = |key: &str, all: &[Value]| json[key] = all[random.below(all.len())].clone();
    pick("normalizer", &normalizers);
    pick("pre_tokenizer", &pre_tokenizers);
    pick("post_processor", &processors);
    pick("decoder", &decoders);
    pick("model", &models);
    json
}

fn beside(random: &mut Random) -> Files {
    let class = *random.of(&[
        &"GPT2Tokenizer",
        &"BertTokenizer",
        &"T5Tokenizer",
        &"LlamaTokenizerFast",
        &"Qwen2Tokenizer",
    ]);
    let config = json!({"tokenizer_class": class, "model_max_length": 512, "added_tokens_decoder":
        {"300": {"content": "<x>", "special": true, "lstrip": true}, "301": {"content": " ", "rstrip": true, "single_word": true}},
        "chat_template": "{{ messages[0].content }}", "bos_token": "<x>", "add_bos_token": true});
    vec![
        ("vocab.json", json_mutant(Value::from(vocabulary()), random)),
        ("merges.txt", bytes_mutant(b"#version: 0.2\na b\nab c\n".to_vec(), random)),
        ("vocab.txt", bytes_mutant("[UNK]\n[CLS]\n[SEP]\na\n##b\n".into(), random)),
        ("tokenizer_config.json", json_mutant(config, random)),
        ("added_tokens.json", json_mutant(json!({"<q>": 302, "\n": 303, " ": 304}), random)),
        (
            "special_tokens_map.json",
            json_mutant(json!({"eos_token": {"content": "<x>", "lstrip": true}, "unk_token": "a"}), random),
        ),
    ]
}

fn tekken() -> Value {
    let encode = |b: u8| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [b]);
    let vocab: Vec<Value> = (0..=255u8).map(|b| json!({"rank": b, "token_bytes": encode(b)})).collect();
    json!({"config": {"pattern": "\\p{L}+|\\s+|.", "default_vocab_size": 259, "default_num_special_tokens": 3},
        "special_tokens": [{"rank": 0, "token_str": "<unk>"}, {"rank": 1, "token_str": "<s>"}, {"rank": 2, "token_str": "</s>"}],
        "vocab": vocab})
}

fn gguf(random: &mut Random) -> Vec<u8> {
    let kind = *random.of(&[&"llama", &"gpt2", &"gemma4", &"bert", &"t5"]);
    let tokens = ["[UNK]", "▁a", "b", "▁ab", "▁", "a", "<tag>", "\n", "<0x41>"];
    let scores: Vec<u8> = (0..tokens.len()).flat_map(|n| (-(n as f32)).to_le_bytes()).collect();
    let kinds: Vec<u8> =
        tokens.iter().flat_map(|t| if *t == "<tag>" { 4i32 } else { 1 }.to_le_bytes()).collect();
    Gguf::default()
        .entry("tokenizer.ggml.model", 8, &Gguf::string(kind))
        .texts("tokenizer.ggml.tokens", &tokens)
        .list("tokenizer.ggml.scores", 6, tokens.len(), &scores)
        .list("tokenizer.ggml.token_type", 5, tokens.len(), &kinds)
        .texts("tokenizer.ggml.merges", &["▁ a", "▁a b"])
        .list("tokenizer.ggml.precompiled_charsmap", 0, 8, &[4, 0, 0, 0, 0, 0, 0, 0])
        .entry("tokenizer.ggml.unknown_token_id", 4, &0u32.to_le_bytes())
        .build()
}

fn config() -> Value {
    json!({"model_type": "phi", "hidden_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 2,
        "intermediate_size": 4, "max_position_embeddings": 8, "torch_dtype": "float32"})
}

fn records(random: &mut Random) -> Vec<u8> {
    let mut lines = Vec::new();
    for _ in 0..=random.below(4) {
        let record = match random.below(4) {
            0 => serde_json::from_str(MESSAGES).expect("JSON"),
            1 => json!({"instruction": "a", "input": "", "output": "b"}),
            2 => json!({"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}),
            _ => {
                json!({"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nhi"},
                {"from": "gpt", "value": "yes"}]})
            }
        };
        lines.extend(json_mutant(record, random));
        lines.extend(random.of(&[b"\n".as_slice(), b",\n", b"", b"]\n[", b"\0"]).iter());
    }
    if random.below(4) == 0 { bytes_mutant(lines, random) } else { lines }
}

/// Statements of a template, mostly sound.
fn statements(random: &mut Random, depth: usize) -> String {
    let mut out = String::new();
    for _ in 0..=random.below(4) {
        let inner =
            |random: &mut Random| if depth == 0 { "x".to_string() } else { statements(random, depth - 1) };
        let piece = match random.below(10) {
            0 => format!("{{% for m in {} %}}{}{{% endfor %}}", expression(random, 2), inner(random)),
            1 => format!(
                "{{% if {} %}}{}{{% elif a %}}y{{% else %}}{}{{% endif %}}",
                expression(random, 2),
                inner(random),
                inner(random)
            ),
            2 => format!("{{% set x = {} %}}", expression(random, 3)),
            3 => format!(
                "{{% set ns = namespace(x={}) %}}{{% for i in range({}) %}}{{% set ns.x = {} %}}{{% endfor %}}{{{{ ns.x {} }}}}",
                expression(random, 1),
                1 << random.below(17),
                random.of(&[
                    "[ns.x, ns.x]",
                    "ns.x + ns.x",
                    "[ns.x]",
                    "ns.x ~ ns.x",
                    "ns.x * 2",
                    "ns.x[1:]",
                    "{'a': ns.x}",
                    "ns.x | list"
                ]),
                random.of(&[
                    "",
                    "== [ns.x]",
                    "in ns.x",
                    "| sort",
                    "| join",
                    "| tojson",
                    "| length",
                    "[::-1]",
                    "| unique | list"
                ])
            ),
            4 => format!(
                "{{% macro m(a, n) %}}{}{{{{ m([a, a], n - 1) if n > 0 }}}}{{% endmacro %}}{{{{ m(x, {}) }}}}",
                inner(random),
                random.below(300)
            ),
            5 => format!("{{% with x={} %}}{}{{% endwith %}}", expression(random, 2), inner(random)),
            6 => format!("{{% generation %}}{}{{% endgeneration %}}", inner(random)),
            7 => format!(
                "{{% filter {} %}}{}{{% endfilter %}}",
                random.of(&["upper", "trim", "tojson", "indent(100)", "center(5000000)"]),
                inner(random)
            ),
            _ => format!("{{{{ {} }}}}", expression(random, 3)),
        };
        out.push_str(&piece);
    }
    if random.below(10) == 0 {
        String::from_utf8_lossy(&bytes_mutant(out.into_bytes(), random)).into_owned()
    } else {
        out
    }
}

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        let atoms = [
            "x",
            "messages",
            "'a'",
            "1",
            "-1",
            "1e308",
            "99999999999",
            "none",
            "[]",
            "{}",
            "ns.x",
            "loop.index",
            "range(100000)",
            "m",
        ];
        return random.of(&atoms.each_ref().map(|a| *a)).to_string();
    }
    let (left, right) = (expression(random, depth - 1), expression(random, depth - 1));
    match random.below(12) {
        0 => format!(
            "({left} {} {right})",
            random.of(&["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"])
        ),
        1 => format!("[{left}, {right}]"),
        2 => format!("{{'a': {left}}}"),
        3 => format!("({left})[{right}]"),
        4 => format!(
            "({left})[{}:{}:{}]",
            random.of(&["", "1", "-1"]),
            random.of(&["", "2", "-1"]),
            random.of(&["", "-1", "0"])
        ),
        5 => format!(
            "({left}) | {}",
            random.of(&[
                "sort",
                "join",
                "list",
                "length",
                "tojson",
                "int",
                "float",
                "upper",
                "trim",
                "unique",
                "first",
                "last",
                "items",
                "string",
                "map('upper') | list",
                "selectattr('role') | list",
                "groupby('role')",
                "batch(0)",
                "slice(0)",
                "indent(99)",
                "replace('a', 'b')",
                "round(300)",
                "abs",
                "reverse",
                "max",
                "sum",
                "dictsort",
                "center(100)",
                "default(1)"
            ])
        ),
        6 => format!(
            "({left}).{}({right})",
            random.of(&[
                "split",
                "strip",
                "replace",
                "join",
                "index",
                "count",
                "get",
                "items",
                "format",
                "startswith",
                "ljust",
                "zfill",
                "splitlines",
                "encode",
                "title",
                "find"
            ])
        ),
        7 => format!("({left} if {right} else {left})"),
        8 => format!(
            "{}({left})",
            random.of(&[
                "range",
                "namespace",
                "raise_exception",
                "strftime_now",
                "cycler",
                "joiner",
                "dict",
                "lipsum"
            ])
        ),
        9 => format!("{}{left}", random.of(&["not ", "-", "--", "not not "])),
        10 => format!(
            "({left}) is {}",
            random.of(&["none", "defined", "string", "iterable", "mapping", "sequence", "number", "true"])
        ),
        _ => format!("({left}, {right})"),
    }
}
