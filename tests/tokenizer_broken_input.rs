//! Tokenizer files that are broken, hostile or odd: every one is an error or a tokenizer, never a panic or a flood
//! of memory.

use std::path::Path;

use base64::Engine;
use maskscope::tokenizer::formats::sentencepiece::{ModelProto, NormalizerSpec, SentencePiece, TrainerSpec};
use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Release, Role, load};
use prost::Message;
use serde_json::{Value, json};

/// A small file set by name.
type Files = Vec<(&'static str, Vec<u8>)>;

fn spm(model_type: i32) -> Vec<u8> {
    let piece = |text: &str, score: f32, kind: i32| SentencePiece {
        piece: Some(text.to_string()),
        score: Some(score),
        r#type: Some(kind),
    };
    let mut pieces = vec![piece("<unk>", 0.0, 2), piece("<s>", 0.0, 3), piece("</s>", 0.0, 3)];
    pieces.extend((0..=255u8).map(|b| piece(&format!("<0x{b:02X}>"), 0.0, 6)));
    let words = ["▁", "a", "b", "c", "▁a", "ab", "▁ab", "<tag>"];
    pieces.extend(
        words.iter().enumerate().map(|(i, w)| piece(w, -(i as f32) - 1.0, if *w == "<tag>" { 4 } else { 1 })),
    );
    ModelProto {
        pieces,
        trainer_spec: Some(TrainerSpec {
            model_type: Some(model_type),
            byte_fallback: Some(model_type == 2),
            unk_id: Some(0),
            ..TrainerSpec::default()
        }),
        normalizer_spec: Some(NormalizerSpec {
            precompiled_charsmap: Some(one_rule()),
            ..NormalizerSpec::default()
        }),
    }
    .encode_to_vec()
}

/// Compiled normalisation rules with one rule: `q` becomes `ab`. A double array of 512 units: the root's state is
/// 256, `q` leads from there to state 384, whose unit is the leaf.
fn one_rule() -> Vec<u8> {
    let mut units = vec![0u32; 512];
    let offset = |offset: u32| offset << 10;
    units[0] = offset(256);
    let q = u32::from(b'q');
    let here = 256 ^ q;
    let leaf = 384;
    units[here as usize] = offset(here ^ leaf) | (1 << 8) | q;
    units[leaf as usize] = 1 << 31;
    let trie: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
    [&(trie.len() as u32).to_le_bytes()[..], &trie, b"ab\0"].concat()
}

fn byte_alphabet() -> Vec<char> {
    let visible = |b: u32| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let hidden = (0..256).filter(|b| !visible(*b)).count() as u32;
    (0..256).filter(|b| visible(*b)).chain(256..256 + hidden).filter_map(char::from_u32).collect()
}

fn byte_level_vocab() -> serde_json::Map<String, Value> {
    let mut vocab: serde_json::Map<String, Value> =
        byte_alphabet().iter().enumerate().map(|(i, c)| (c.to_string(), json!(i))).collect();
    for (i, token) in ["ab", "abc", "Ġa", "<|endoftext|>"].iter().enumerate() {
        vocab.insert(token.to_string(), json!(256 + i));
    }
    vocab
}

fn tokenizer_json() -> Vec<u8> {
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 259, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": byte_level_vocab(), "merges": ["a b", "ab c", "Ġ a"]},
    })
    .to_string()
    .into_bytes()
}

fn ranks() -> Vec<u8> {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let single = (0..=255u8).map(|b| encode(&[b]));
    let lines = single.chain([encode(b"ab"), encode(b"abc"), encode(b" a")]);
    lines.enumerate().map(|(rank, token)| format!("{token} {rank}\n")).collect::<String>().into_bytes()
}

fn tekken() -> Vec<u8> {
    let text = String::from_utf8(ranks()).expect("text");
    let vocab: Vec<Value> = text
        .lines()
        .enumerate()
        .map(|(rank, line)| json!({"rank": rank, "token_bytes": line.split(' ').next(), "token_str": null}))
        .collect();
    let special = ["<unk>", "<s>", "</s>"];
    let special: Vec<Value> = special
        .iter()
        .enumerate()
        .map(|(rank, t)| json!({"rank": rank, "token_str": t, "is_control": true}))
        .collect();
    json!({
        "config": {"pattern": r"\p{L}+|\s+|.", "num_vocab_tokens": 259, "default_vocab_size": 262,
            "default_num_special_tokens": 3, "version": "v7"},
        "vocab": vocab, "special_tokens": special,
    })
    .to_string()
    .into_bytes()
}

/// Writes a GGUF header.
#[derive(Default)]
struct Gguf {
    entries: Vec<u8>,
    count: u64,
}

impl Gguf {
    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }
    fn entry(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.entries.extend([&Self::string(key)[..], &kind.to_le_bytes(), value].concat());
        self.count += 1;
        self
    }
    fn list(self, key: &str, kind: u32, items: impl Iterator<Item = Vec<u8>>) -> Self {
        let items: Vec<Vec<u8>> = items.collect();
        let head = [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes()].concat();
        self.entry(key, 9, &[head, items.concat()].concat())
    }
    fn build(self) -> Vec<u8> {
        [b"GGUF\x03\0\0\0", &[0; 8][..], &self.count.to_le_bytes(), &self.entries].concat()
    }
}

fn gguf() -> Vec<u8> {
    let tokens: Vec<String> = byte_level_vocab().keys().cloned().collect();
    let kinds = tokens.iter().map(|t| if t.starts_with('<') && t.len() > 1 { 3i32 } else { 1 });
    Gguf::default()
        .entry("general.architecture", 8, &Gguf::string("llama"))
        .entry("tokenizer.ggml.model", 8, &Gguf::string("gpt2"))
        .entry("tokenizer.ggml.pre", 8, &Gguf::string("llama-bpe"))
        .list("tokenizer.ggml.tokens", 8, tokens.iter().map(|t| Gguf::string(t)))
        .list("tokenizer.ggml.token_type", 5, kinds.map(|k| k.to_le_bytes().to_vec()))
        .list("tokenizer.ggml.merges", 8, ["a b", "ab c", "Ġ a"].iter().map(|m| Gguf::string(m)))
        .entry("tokenizer.ggml.bos_token_id", 4, &259u32.to_le_bytes())
        .entry("tokenizer.ggml.add_bos_token", 7, &[1])
        .build()
}

/// The kinds without merges of byte-level BPE: WordPiece, Unigram, BPE over plain text.
fn gguf_of(kind: &str) -> Vec<u8> {
    let tokens = ["[UNK]", "▁a", "b", "▁ab", "▁", "a", "<tag>", "\n", "<0x41>"];
    let scores = (0..tokens.len()).map(|n| (-(n as f32)).to_le_bytes().to_vec());
    let kinds = tokens.iter().map(|t| if *t == "<tag>" { 4i32 } else { 1 });
    Gguf::default()
        .entry("tokenizer.ggml.model", 8, &Gguf::string(kind))
        .list("tokenizer.ggml.tokens", 8, tokens.iter().map(|t| Gguf::string(t)))
        .list("tokenizer.ggml.scores", 6, scores)
        .list("tokenizer.ggml.token_type", 5, kinds.map(|k| k.to_le_bytes().to_vec()))
        .list("tokenizer.ggml.merges", 8, ["▁ a", "▁a b"].iter().map(|m| Gguf::string(m)))
        .list("tokenizer.ggml.precompiled_charsmap", 0, one_rule().into_iter().map(|b| vec![b]))
        .entry("tokenizer.ggml.unknown_token_id", 4, &0u32.to_le_bytes())
        .build()
}

fn config(class: &str) -> (&'static str, Vec<u8>) {
    (
        "tokenizer_config.json",
        json!({"tokenizer_class": class, "model_max_length": 512}).to_string().into_bytes(),
    )
}

/// One small set of each format.
fn formats() -> Vec<(&'static str, Files)> {
    let vocab_txt = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n##c\nab\n".as_bytes().to_vec();
    let vocab_json = Value::from(byte_level_vocab()).to_string().into_bytes();
    let merges = "#version: 0.2\na b\nab c\nĠ a\n".as_bytes().to_vec();
    vec![
        ("tokenizer.json", vec![("tokenizer.json", tokenizer_json())]),
        ("vocab.json + merges.txt", vec![("vocab.json", vocab_json), ("merges.txt", merges)]),
        ("tokenizer.model", vec![("tokenizer.model", spm(2))]),
        ("spiece.model", vec![("spiece.model", spm(1))]),
        ("sentencepiece.bpe.model", vec![("sentencepiece.bpe.model", spm(1))]),
        ("vocab.txt", vec![("vocab.txt", vocab_txt)]),
        ("qwen.tiktoken", vec![("qwen.tiktoken", ranks()), config("QWenTokenizer")]),
        ("generic tiktoken", vec![("some.tiktoken", ranks())]),
        ("tiktoken in tokenizer.model", vec![("tokenizer.model", ranks())]),
        ("tekken.json", vec![("tekken.json", tekken())]),
        ("gguf", vec![("model.gguf", gguf())]),
        ("gguf bert", vec![("model.gguf", gguf_of("bert"))]),
        ("gguf t5", vec![("model.gguf", gguf_of("t5"))]),
        ("gguf gemma4", vec![("model.gguf", gguf_of("gemma4"))]),
        (
            "everything beside the vocabulary",
            vec![
                ("vocab.json", Value::from(byte_level_vocab()).to_string().into_bytes()),
                ("merges.txt", "#version: 0.2\na b\n".as_bytes().to_vec()),
                ("added_tokens.json", json!({"<new>": 300, "<tag>": 301}).to_string().into_bytes()),
                (
                    "special_tokens_map.json",
                    json!({"eos_token": {"content": "<new>", "lstrip": true}, "unk_token": "<tag>"})
                        .to_string()
                        .into_bytes(),
                ),
                ("config.json", json!({"text_config": {"vocab_size": 320}}).to_string().into_bytes()),
                config("GPT2Tokenizer"),
            ],
        ),
    ]
}

fn write(dir: &Path, files: &Files) {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).expect("written");
    }
}

/// Loads in every way; what loads must also encode and decode. True when one way loaded.
fn try_all(dir: &Path) -> bool {
    let files = FileSet::folder(dir).expect("a folder");
    let mut loaded = false;
    for release in [Release::V4_31, Release::V4_37, Release::V5] {
        for loader in [None, Some(Loader::Slow), Some(Loader::Fast)] {
            let options = LoadOptions { loader, release, ..LoadOptions::default() };
            let Ok(tokenizer) = load("mutant", &files, options) else { continue };
            loaded = true;
            if let Ok(encoding) = tokenizer.encode("ab abc <tag>é\u{0}👍  x", true) {
                assert_eq!(encoding.ids.len(), encoding.spans.len());
                let _ = tokenizer.decode(&encoding.ids, false);
                let _ = tokenizer.decode(&encoding.ids, true);
            }
            let _ = tokenizer.decode(&[0, 3, u32::MAX], false);
            let _ = tokenizer.special_token_table();
        }
    }
    loaded
}

/// xorshift: the same mutants on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let len = random.below(24).min(bytes.len() - at);
        match random.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let copy = bytes[at..at + len].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => drop(bytes.splice(at..at, [0])),
            5 => drop(bytes.splice(at..at + len, *b"4294967295")),
            _ => drop(bytes.splice(at..at + len, [0xFF; 9])),
        }
    }
    bytes
}

#[test]
fn every_format_loads_from_its_own_small_file() {
    for (name, files) in formats() {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), &files);
        assert!(try_all(dir.path()), "{name} does not load");
    }
}

#[test]
fn compiled_rules_change_the_text_and_the_spans_still_fit() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), &vec![("spiece.model", spm(1))]);
    let files = FileSet::folder(dir.path()).expect("a folder");
    let slow = LoadOptions { loader: Some(Loader::Slow), ..LoadOptions::default() };
    let tokenizer = load("rules", &files, slow).expect("loads");
    let encoding = tokenizer.encode("c q", false).expect("encodes");
    let tokens: Vec<String> =
        encoding.ids.iter().map(|id| format!("{:?}", tokenizer.piece(*id).expect("a piece"))).collect();
    let expected = ["▁", "c", "▁", "a", "b"].map(|t| format!("Text({t:?})"));
    assert_eq!(tokens, expected, "the pieces apart have the better score: -6 against -7");
    assert_eq!(encoding.spans, [0..0, 0..1, 1..2, 2..3, 2..3]);
}

#[test]
fn a_lone_file_is_known_by_what_is_in_it() {
    for (name, files) in formats().into_iter().filter(|(_, files)| files.len() == 1) {
        // The two Unigram classes cannot be told apart by content.
        if name.starts_with("spiece") || name.starts_with("sentencepiece") {
            continue;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("saved-as-something-else");
        std::fs::write(&path, &files[0].1).expect("written");
        let files = FileSet::single(&path).expect("a file");
        load(name, &files, LoadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn ranks_are_split_by_the_pattern_of_the_configuration() {
    let dir = tempfile::tempdir().expect("a folder");
    let pieces = |config: Value| {
        let mut config = config;
        config["tokenizer_class"] = json!("SomeTokenizer");
        let config = config.to_string().into_bytes();
        write(dir.path(), &vec![("some.tiktoken", ranks()), ("tokenizer_config.json", config)]);
        let files = FileSet::folder(dir.path()).expect("a folder");
        load("ranks", &files, LoadOptions::default())
            .map(|t| t.encode("ab ab", false).expect("encodes").spans)
    };
    let usual = pieces(json!({})).expect("loads");
    let single = pieces(json!({"pat_str": "."})).expect("loads");
    assert!(single.len() > usual.len(), "{usual:?} {single:?}");
    let error = pieces(json!({"pat_str": "(" })).expect_err("no pattern").to_string();
    assert!(error.contains("pattern") || error.contains("regex") || error.contains("parenthes"), "{error}");
}

#[test]
fn ranks_of_hunyuan_bring_the_tokens_of_their_code() {
    let dir = tempfile::tempdir().expect("a folder");
    let count = String::from_utf8(ranks()).expect("text").lines().count() as u32;
    let loaded = |config: Value| {
        let config = config.to_string().into_bytes();
        write(dir.path(), &vec![("hy.tiktoken", ranks()), ("tokenizer_config.json", config)]);
        load("hy", &FileSet::folder(dir.path()).expect("a folder"), LoadOptions::default()).expect("loads")
    };
    for class in ["HYTokenizer", "HunYuanTokenizer"] {
        let tokenizer = loaded(json!({"tokenizer_class": class}));
        assert_eq!(tokenizer.token_to_id("<|endoftext|>"), Some(count));
        assert_eq!(tokenizer.token_to_id("<|pad|>"), Some(count + 4));
        assert_eq!(tokenizer.token_to_id("<|extra_204|>"), Some(count + 209));
        assert_eq!(tokenizer.role_id(Role::Bos), Some(count + 1));
        assert_eq!(tokenizer.role_id(Role::Eos), Some(count));
        assert!(tokenizer.notes.iter().any(|note| note.contains("210 ids from")), "{:?}", tokenizer.notes);
        let around = tokenizer.encode("ab", true).expect("encodes").ids;
        assert_eq!((around.first(), around.last()), (Some(&(count + 1)), Some(&count)));
    }
    let own =
        loaded(json!({"tokenizer_class": "HYTokenizer", "eos_token": "<|eos|>", "add_bod_token": false,
        "add_eod_token": false}));
    assert_eq!(own.role_id(Role::Eos), Some(count + 3));
    assert_eq!(own.encode("ab", true).expect("encodes"), own.encode("ab", false).expect("encodes"));
}

/// Tries one mutant of a set; on a panic its files are left in a folder that the message names.
fn try_mutant(name: &str, files: &Files, random: &mut Random) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut mutants = files.clone();
    let which = random.below(mutants.len());
    mutants[which].1 = mutate(&mutants[which].1, random);
    write(dir.path(), &mutants);
    if std::panic::catch_unwind(|| try_all(dir.path())).is_err() {
        panic!("{name}: a mutant panics: {}", dir.keep().display());
    }
}

#[test]
fn mutants_never_panic() {
    for (seed, (name, files)) in formats().into_iter().enumerate() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed as u64 + 1));
        (0..120).for_each(|_| try_mutant(name, &files, &mut random));
    }
}

/// The same hunt with new seeds and a limit on memory, for as long as `MASKSCOPE_FUZZ_SECONDS` says for each format:
///
/// ```sh
/// MASKSCOPE_FUZZ_SECONDS=60 cargo test --test tokenizer_broken_input hunt -- --ignored --nocapture
/// ```
#[test]
#[ignore = "a search with new seeds, for MASKSCOPE_FUZZ_SECONDS a format; mutants_never_panic has fixed ones"]
fn hunt() {
    let seconds = std::env::var("MASKSCOPE_FUZZ_SECONDS").ok().and_then(|s| s.parse::<u64>().ok());
    let seconds = seconds.expect("MASKSCOPE_FUZZ_SECONDS is a number");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    for (n, (name, files)) in formats().into_iter().enumerate() {
        let mut random = Random((now.as_nanos() as u64) ^ ((n as u64 + 1) << 40));
        let (start, mut mutants) = (std::time::Instant::now(), 0);
        while start.elapsed().as_secs() < seconds {
            try_mutant(name, &files, &mut random);
            mutants += 1;
        }
        let peak = peak_memory();
        println!("{name:36} {mutants:7} mutants, peak memory so far {} MB", peak.unwrap_or(0) >> 20);
        assert!(peak.is_none_or(|bytes| bytes < 1 << 30), "{name}: files of a few KB took {peak:?} bytes");
    }
}

/// The most memory that this process had resident; `None` where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

fn error_of(files: Files) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), &files);
    let files = FileSet::folder(dir.path()).expect("a folder");
    match load("broken", &files, LoadOptions::default()) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("it loads"),
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(
        error_of(vec![("tokenizer.json", [b"{\"model\":", &deep[..], b"}"].concat())]).contains("recursion")
    );
    assert!(error_of(vec![config("LlamaTokenizer")]).contains("tokenizer.json"));
    for class in ["LlamaTokenizer", "GemmaTokenizer", "CodeLlamaTokenizer"] {
        let error = error_of(vec![("tokenizer.model", ranks()), config(class)]);
        assert!(error.contains("holds tiktoken ranks") && error.contains(class), "{error}");
    }
    assert!(error_of(vec![("vocab.txt", b"a\0b\n".to_vec()), config("BertTokenizer")]).contains("NUL"));
    let no_result = Value::from(byte_level_vocab()).to_string().into_bytes();
    assert!(error_of(vec![("vocab.json", no_result), ("merges.txt", b"x y\n".to_vec())]).contains("merges"));
    let header = [&b"GGUF\x03\0\0\0"[..], &[0; 8], &1u64.to_le_bytes(), &(1u64 << 30).to_le_bytes()].concat();
    assert!(error_of(vec![("model.gguf", header)]).contains("does not fit"));
    assert!(
        error_of(vec![("qwen.tiktoken", b"\xFF\xFE 1\n".to_vec()), config("QWenTokenizer")])
            .contains("UTF-8")
    );
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tokenizer.json");
    std::os::unix::fs::symlink(&path, &path).expect("a link");
    let folder = FileSet::folder(dir.path()).expect("a folder");
    assert!(load("loop", &folder, LoadOptions::default()).is_err());
    let single = FileSet::single(&path).expect("a name");
    assert!(load("loop", &single, LoadOptions::default()).is_err());
}
