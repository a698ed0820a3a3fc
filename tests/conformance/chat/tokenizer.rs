//! The tokenizers of golden/chat, made as its `recipe_*.json` say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use maskscope::masks::encoder::{Encoded, Encoder};
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, Tokenizer};

/// A tokenizer with the special tokens that its recipe names.
pub struct TestTokenizer {
    inner: Tokenizer,
    /// The same without added tokens, made when it is first used.
    ordinary: OnceLock<Tokenizer>,
    pub special_tokens: Map<String, Value>,
}

/// Loads each tokenizer once.
pub struct Tokenizers {
    root: PathBuf,
    loaded: RefCell<BTreeMap<String, Rc<TestTokenizer>>>,
}

impl Tokenizers {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), loaded: RefCell::default() }
    }

    pub fn get(&self, name: &str) -> Rc<TestTokenizer> {
        let load = || Rc::new(TestTokenizer::load(&self.root, name));
        self.loaded.borrow_mut().entry(name.into()).or_insert_with(load).clone()
    }
}

/// The folder under tokenizers/ that a recipe's package stands for.
fn folder(package: &str) -> &str {
    match package.rsplit("tokenizer-").next().unwrap() {
        "llama2" => "mistral_v01",
        "llama3_1" => "llama3",
        "gemini" => "gemma",
        other => other,
    }
}

impl TestTokenizer {
    fn load(root: &Path, name: &str) -> Self {
        if name == "llama3_2" {
            return Self::renamed(Self::load(root, "llama3_1"));
        }
        if let Some((folder, _)) = name.split_once("/tokenizer.model") {
            return Self::sentence_piece(root, folder);
        }
        if let Some(specials) = name.strip_prefix("llama3 BPE + nanochat specials ") {
            return Self::nanochat(root, specials);
        }
        let recipe = crate::read_text(&root.join(format!("golden/chat/recipe_{name}.json")));
        let recipe: Value = serde_json::from_str(&recipe).unwrap();
        let package = recipe["npm"].as_str().unwrap();
        let file = root.join("tokenizers").join(folder(package)).join("tokenizer.json");
        let file = if file.exists() { file } else { file.with_extension("json.gz") };
        let mut parts: Value = serde_json::from_str(&crate::read_text(&file)).unwrap();
        if package.ends_with("llama3_1") {
            parts["post_processor"] = bos_first("<|begin_of_text|>", 128000);
        }
        let mut inner: Tokenizer = serde_json::from_value(parts).unwrap();
        for token in recipe["added"].as_array().unwrap() {
            let content = token["content"].as_str().unwrap();
            let token = AddedToken::from(content, true).rstrip(token["rstrip"] == true);
            inner.add_special_tokens([token]).unwrap();
        }
        let special_tokens = recipe["special_tokens_map"].as_object().unwrap().clone();
        let known: Vec<AddedToken> = special_tokens
            .values()
            .filter_map(Value::as_str)
            .filter(|token| !inner.get_added_vocabulary().get_vocab().contains_key(*token))
            .map(|token| AddedToken::from(token, true))
            .collect();
        inner.add_special_tokens(known).unwrap();
        Self { inner, ordinary: OnceLock::new(), special_tokens }
    }

    /// Llama 3.2's names for three of Llama 3.1's added tokens.
    fn renamed(tokenizer: Self) -> Self {
        let mut parts: Value = serde_json::from_str(&tokenizer.json()).unwrap();
        for token in parts["added_tokens"].as_array_mut().unwrap() {
            let name = match token["id"].as_u64().unwrap() {
                128_004 => "<|finetune_right_pad_id|>",
                128_008 => "<|eom_id|>",
                128_010 => "<|python_tag|>",
                _ => continue,
            };
            token["content"] = name.into();
        }
        let inner = serde_json::from_value(parts).unwrap();
        Self { inner, ordinary: OnceLock::new(), special_tokens: tokenizer.special_tokens }
    }

    /// A `tokenizer.model` as SentencePiece reads it: the vocabulary without added tokens.
    fn sentence_piece(root: &Path, folder: &str) -> Self {
        let inner = without_added_tokens(parts_of(root, folder));
        let special_tokens = json!({"bos_token": "<s>", "eos_token": "</s>"}).as_object().unwrap().clone();
        Self { inner, ordinary: OnceLock::new(), special_tokens }
    }

    /// Llama 3's ranks with nanochat's special tokens behind them, in the order of their ids.
    fn nanochat(root: &Path, specials: &str) -> Self {
        let ids: BTreeMap<String, u32> = serde_json::from_str(specials).unwrap();
        let mut tokens: Vec<(&String, &u32)> = ids.iter().collect();
        tokens.sort_by_key(|(_, id)| **id);
        let mut inner = without_added_tokens(parts_of(root, "llama3"));
        for (token, id) in tokens {
            inner.add_special_tokens([AddedToken::from(token.as_str(), true)]).unwrap();
            assert_eq!(inner.token_to_id(token), Some(*id));
        }
        Self { inner, ordinary: OnceLock::new(), special_tokens: Map::new() }
    }

    pub fn encode_plain(&self, text: &str) -> Vec<u32> {
        self.ids(text).unwrap()
    }

    /// The `tokenizer.json` that `save_pretrained` writes.
    pub fn json(&self) -> String {
        self.inner.to_string(false).unwrap()
    }

    fn role(&self, role: &str) -> Option<u32> {
        self.inner.token_to_id(self.special_tokens.get(role)?.as_str()?)
    }
}

/// The `tokenizer.json` of a folder.
fn parts_of(root: &Path, folder: &str) -> Value {
    let file = root.join("tokenizers").join(folder).join("tokenizer.json");
    let file = if file.exists() { file } else { file.with_extension("json.gz") };
    serde_json::from_str(&crate::read_text(&file)).unwrap()
}

fn without_added_tokens(mut parts: Value) -> Tokenizer {
    parts["added_tokens"] = json!([]);
    parts["post_processor"] = Value::Null;
    serde_json::from_value(parts).unwrap()
}

fn bos_first(token: &str, id: u32) -> Value {
    let special = json!({"SpecialToken": {"id": token, "type_id": 0}});
    json!({"type": "TemplateProcessing",
        "single": [special, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [special, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}}})
}

impl Encoder for TestTokenizer {
    fn encode(&self, text: &str, add_special_tokens: bool) -> maskscope::Result<Encoded> {
        let encoding = self
            .inner
            .encode_char_offsets(text, add_special_tokens)
            .map_err(|e| maskscope::Error::Encode(e.to_string()))?;
        let (ids, offsets) = (encoding.get_ids().to_vec(), encoding.get_offsets().to_vec());
        Ok(Encoded { ids, offsets, ..Encoded::default() })
    }

    fn ordinary_ids(&self, text: &str) -> maskscope::Result<Vec<u32>> {
        let ordinary =
            self.ordinary.get_or_init(|| without_added_tokens(serde_json::from_str(&self.json()).unwrap()));
        let encoding = ordinary.encode(text, false).map_err(|e| maskscope::Error::Encode(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode(&self, ids: &[u32]) -> maskscope::Result<String> {
        self.inner.decode(ids, false).map_err(|e| maskscope::Error::Encode(e.to_string()))
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    fn added_token(&self, id: u32) -> Option<String> {
        self.inner.get_added_tokens_decoder().get(&id).map(|token| token.content.clone())
    }

    fn is_special(&self, id: u32) -> bool {
        self.inner.get_added_tokens_decoder().get(&id).is_some_and(|token| token.special)
    }

    fn bos_id(&self) -> Option<u32> {
        self.role("bos_token")
    }

    fn eos_id(&self) -> Option<u32> {
        self.role("eos_token")
    }

    fn pad_id(&self) -> Option<u32> {
        self.role("pad_token")
    }
}
