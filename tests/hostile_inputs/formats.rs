//! Small files of each format, for cases to spoil.

use base64::Engine;
use serde_json::{Map, Value, json};

/// The 256 characters that stand for bytes, in the order of the bytes they stand for.
pub fn byte_alphabet() -> Vec<char> {
    let visible = |b: u32| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut hidden = 255;
    let character = |b: u32| {
        if visible(b) {
            return char::from_u32(b);
        }
        hidden += 1;
        char::from_u32(hidden)
    };
    (0..256).filter_map(character).collect()
}

/// Byte-level vocabulary.
pub fn vocabulary() -> Map<String, Value> {
    let mut vocabulary: Map<String, Value> =
        byte_alphabet().iter().enumerate().map(|(id, c)| (c.to_string(), json!(id))).collect();
    for (n, token) in ["ab", "abc", "Ġa", "<|endoftext|>"].iter().enumerate() {
        vocabulary.insert(token.to_string(), json!(256 + n));
    }
    vocabulary
}

/// A sound `tokenizer.json`.
pub fn tokenizer_json() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 259, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary(), "merges": ["a b", "ab c", "Ġ a"]},
    })
}

/// The same with one part in the place of another.
pub fn tokenizer_with(part: &str, value: Value) -> Vec<u8> {
    let mut json = tokenizer_json();
    json[part] = value;
    json.to_string().into_bytes()
}

/// The bytes of a `.tiktoken` file with these tokens behind the single bytes.
pub fn ranks(tokens: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let single = (0..=255u8).map(|b| vec![b]);
    let line = |(rank, token): (usize, Vec<u8>)| format!("{} {rank}\n", encode(&token));
    single.chain(tokens).enumerate().map(line).collect::<String>().into_bytes()
}

/// Writes a GGUF header.
#[derive(Default)]
pub struct Gguf {
    entries: Vec<u8>,
    count: u64,
}

impl Gguf {
    pub fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    pub fn entry(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.entries.extend([&Self::string(key)[..], &kind.to_le_bytes(), value].concat());
        self.count += 1;
        self
    }

    pub fn list(self, key: &str, kind: u32, count: usize, items: &[u8]) -> Self {
        let head = [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes()].concat();
        self.entry(key, 9, &[&head, items].concat())
    }

    pub fn texts(self, key: &str, texts: &[&str]) -> Self {
        let items: Vec<u8> = texts.iter().flat_map(|t| Self::string(t)).collect();
        self.list(key, 8, texts.len(), &items)
    }

    pub fn build(self) -> Vec<u8> {
        [b"GGUF\x03\0\0\0", &[0; 8][..], &self.count.to_le_bytes(), &self.entries].concat()
    }
}

/// A safetensors file of one tensor `w` of two zeros, with this JSON in its header.
pub fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat()
}
