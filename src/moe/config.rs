//! `config.json` of a model, read key by key; every refusal names the key.
//!
//! Numbers come from strangers: a size is 1..=2^24 unless it says otherwise, products are taken checked by
//! whoever needs them, and shapes are compared with the tensors in the file before anything is
//! allocated. `null` counts as absent, as in transformers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::checkpoint::{read_small, refuse_outside};
use super::error::{MoeError, MoeResult};

/// Largest size a key may hold: far above any model, far below an overflow of two of them.
const MAX_SIZE: u64 = 1 << 24;
/// Most layers a model may have.
const MAX_LAYERS: usize = 4096;

/// A parsed `config.json`.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    keys: Map<String, Value>,
}

impl Config {
    /// Reads `config.json` of a checkpoint folder (or the file itself).
    pub fn open(path: &Path) -> MoeResult<Self> {
        let path = match path.is_dir() {
            true => {
                refuse_outside(path, &path.join("config.json"))?;
                path.join("config.json")
            }
            false => path.to_path_buf(),
        };
        let text = read_small(&path)?;
        Self::parse(path, &text)
    }

    /// Parses the text of a config; `path` is what errors name.
    ///
    /// Where a multimodal config nests the language model in `text_config`, those keys win.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> MoeResult<Self> {
        let path = path.into();
        let json: Value =
            serde_json::from_str(text).map_err(|e| MoeError::checkpoint(&path, e.to_string()))?;
        let Value::Object(mut keys) = json else {
            return Err(MoeError::checkpoint(&path, "is no JSON object"));
        };
        if let Some(Value::Object(inner)) = keys.remove("text_config") {
            keys.extend(inner);
        }
        Ok(Self { path, keys })
    }

    /// The same with `defaults` (a JSON object) for keys that the file leaves out; an explicit `null` stays `null`.
    ///
    /// # Errors
    /// `defaults` is no JSON object.
    pub fn with_defaults(&self, defaults: &str) -> MoeResult<Self> {
        let mut all = self.clone();
        for (key, value) in Self::parse(&self.path, defaults)?.keys {
            // A file of transformers 4 says in `rope_scaling` what 5 says in `rope_parameters`.
            if !(self.keys.contains_key(&key) || key == "rope_parameters" && self.has("rope_scaling")) {
                all.keys.insert(key, value);
            }
        }
        Ok(all)
    }

    /// Where the config came from.
    #[cfg(feature = "internals")]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, for writing a changed config.
    pub fn keys(&self) -> &Map<String, Value> {
        &self.keys
    }

    /// A nested object as a config of its own; keys are reported as `key.inner`.
    pub fn object(&self, key: &str) -> MoeResult<Option<Nested<'_>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Nested { config: self, key: key.to_owned(), map })),
            Some(_) => Err(self.error(key, "is no object")),
        }
    }

    /// An error about one key.
    pub fn error(&self, key: &str, message: impl Into<String>) -> MoeError {
        MoeError::config(&self.path, key, message)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|v| !v.is_null())
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// `model_type`, which decides the architecture.
    pub fn model_type(&self) -> MoeResult<&str> {
        self.text("model_type")?.ok_or_else(|| self.error("model_type", "is missing"))
    }

    pub fn text(&self, key: &str) -> MoeResult<Option<&str>> {
        self.get(key).map(|v| v.as_str().ok_or_else(|| self.error(key, "is no text"))).transpose()
    }

    /// A required size.
    pub fn size(&self, key: &str) -> MoeResult<usize> {
        self.opt_size(key)?.ok_or_else(|| self.error(key, "is missing"))
    }

    /// The first of several spellings of a required size.
    pub fn size_of(&self, keys: &[&str]) -> MoeResult<usize> {
        for key in keys {
            if let Some(size) = self.opt_size(key)? {
                return Ok(size);
            }
        }
        Err(self.error(&keys.join(" or "), "is missing"))
    }

    /// An optional size.
    pub fn opt_size(&self, key: &str) -> MoeResult<Option<usize>> {
        self.get(key).map(|v| size(v).ok_or_else(|| self.error(key, range_text(v)))).transpose()
    }

    /// `num_hidden_layers`.
    pub fn layers(&self) -> MoeResult<usize> {
        let n = self.size("num_hidden_layers")?;
        if n > MAX_LAYERS {
            return Err(self.error("num_hidden_layers", format!("is {n}, more than {MAX_LAYERS}")));
        }
        Ok(n)
    }

    /// A finite number, or `default`.
    pub fn float_or(&self, key: &str, default: f64) -> MoeResult<f64> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => v
                .as_f64()
                .filter(|f| f.is_finite())
                .ok_or_else(|| self.error(key, format!("is {v}, not a finite number"))),
        }
    }

    /// true/false, or `default`.
    pub fn flag_or(&self, key: &str, default: bool) -> MoeResult<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => v.as_bool().ok_or_else(|| self.error(key, format!("is {v}, not true or false"))),
        }
    }

    /// A flag that may also be written as a number, of which 0 is false (Llama 4's released configs have 4).
    pub fn truth_or(&self, key: &str, default: bool) -> MoeResult<bool> {
        match self.get(key).and_then(Value::as_f64) {
            Some(number) => Ok(number != 0.0),
            None => self.flag_or(key, default),
        }
    }

    /// A list of small non-negative integers.
    pub fn indices(&self, key: &str) -> MoeResult<Option<Vec<usize>>> {
        self.get(key)
            .map(|v| indices(v).ok_or_else(|| self.error(key, "is no list of whole numbers")))
            .transpose()
    }

    /// A whole number that may be 0; 0 where absent.
    pub fn index_or_zero(&self, key: &str) -> MoeResult<usize> {
        let index = |v: &Value| v.as_u64().filter(|&n| n <= MAX_SIZE).map(|n| n as usize);
        match self.get(key) {
            None => Ok(0),
            Some(v) => index(v).ok_or_else(|| self.error(key, format!("is {v}, not a whole number"))),
        }
    }

    /// Entry `layer` of a list of texts such as `layer_types`.
    pub fn text_at(&self, key: &str, layer: usize) -> MoeResult<Option<&str>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let entry = value.as_array().and_then(|list| list.get(layer)).and_then(Value::as_str);
        entry.map(Some).ok_or_else(|| self.error(key, format!("has no text for layer {layer}")))
    }

    /// `head_dim`, or hidden_size / num_attention_heads.
    pub fn head_dim(&self) -> MoeResult<usize> {
        if let Some(dim) = self.opt_size("head_dim")? {
            return Ok(dim);
        }
        let (hidden, heads) = (self.size("hidden_size")?, self.size("num_attention_heads")?);
        if !hidden.is_multiple_of(heads) {
            return Err(self.error("num_attention_heads", format!("{heads} does not divide {hidden}")));
        }
        Ok(hidden / heads)
    }
}

/// An object inside a config.
#[derive(Debug, Clone)]
pub struct Nested<'a> {
    config: &'a Config,
    key: String,
    map: &'a Map<String, Value>,
}

impl Nested<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// An error about `outer.key`.
    pub fn error(&self, key: &str, message: impl Into<String>) -> MoeError {
        self.config.error(&format!("{}.{key}", self.key), message)
    }

    pub fn text(&self, key: &str) -> MoeResult<Option<&str>> {
        self.get(key).map(|v| v.as_str().ok_or_else(|| self.error(key, "is no text"))).transpose()
    }

    pub fn float(&self, key: &str) -> MoeResult<Option<f64>> {
        let number = |v: &Value| v.as_f64().filter(|f| f.is_finite());
        self.get(key)
            .map(|v| number(v).ok_or_else(|| self.error(key, format!("is {v}, not a finite number"))))
            .transpose()
    }

    pub fn flag(&self, key: &str) -> MoeResult<Option<bool>> {
        self.get(key).map(|v| v.as_bool().ok_or_else(|| self.error(key, "is not true or false"))).transpose()
    }

    pub fn indices(&self, key: &str) -> MoeResult<Option<Vec<usize>>> {
        self.get(key)
            .map(|v| indices(v).ok_or_else(|| self.error(key, "is no list of whole numbers")))
            .transpose()
    }

    pub fn floats(&self, key: &str) -> MoeResult<Option<Vec<f64>>> {
        let list = |v: &Value| v.as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
        self.get(key).map(|v| list(v).ok_or_else(|| self.error(key, "is no list of numbers"))).transpose()
    }

    /// A whole number ≥ 0.
    pub fn index(&self, key: &str) -> MoeResult<Option<usize>> {
        let index = |v: &Value| v.as_u64().filter(|&n| n <= MAX_SIZE).map(|n| n as usize);
        self.get(key)
            .map(|v| index(v).ok_or_else(|| self.error(key, format!("is {v}, not a whole number"))))
            .transpose()
    }
}

fn size(value: &Value) -> Option<usize> {
    value.as_u64().filter(|n| (1..=MAX_SIZE).contains(n)).map(|n| n as usize)
}

fn range_text(value: &Value) -> String {
    format!("is {value}, it must be a whole number in 1..={MAX_SIZE}")
}

fn indices(value: &Value) -> Option<Vec<usize>> {
    let entry = |v: &Value| v.as_u64().filter(|&n| n <= MAX_SIZE).map(|n| n as usize);
    value.as_array()?.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse("config.json", text).unwrap()
    }

    #[test]
    fn errors_name_the_key() {
        let c = config(r#"{"hidden_size": -1, "num_hidden_layers": 5000, "rms_norm_eps": "x", "n": 1e99}"#);
        for (error, key) in [
            (c.size("hidden_size").unwrap_err(), "hidden_size"),
            (c.layers().unwrap_err(), "num_hidden_layers"),
            (c.float_or("rms_norm_eps", 0.0).unwrap_err(), "rms_norm_eps"),
            (c.size("n").unwrap_err(), "\"n\""),
            (c.size("vocab_size").unwrap_err(), "vocab_size"),
            (c.model_type().unwrap_err(), "model_type"),
        ] {
            assert!(error.to_string().contains(key), "{error}");
        }
        assert!(Config::parse("config.json", "[]").is_err());
    }

    #[test]
    fn a_truth_may_be_a_number() {
        let c = config(r#"{"a": 4, "b": 0, "c": false, "d": "x"}"#);
        assert_eq!(
            ["a", "b", "c", "e"].map(|key| c.truth_or(key, true).unwrap()),
            [true, false, false, true]
        );
        assert!(c.truth_or("d", true).is_err() && c.flag_or("a", true).is_err());
    }

    #[test]
    fn null_is_absent_and_text_config_wins() {
        let c = config(
            r#"{"head_dim": null, "hidden_size": 8, "text_config": {"hidden_size": 12, "num_attention_heads": 4}}"#,
        );
        assert_eq!(c.head_dim().unwrap(), 3);
    }
}
