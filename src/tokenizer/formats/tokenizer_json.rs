//! `tokenizer.json`: the whole pipeline in one file.
//!
//! Each part is checked ([`step_checks`], [`merges`]) before the library reads it. Models are read from the text of the
//! file: the library's own reader makes two copies of a vocabulary on the way.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::unigram::Unigram;

use super::merges::{self, MergesJson};
use super::step_checks;
use crate::error::{Error, Result};
use crate::tokenizer::core::{AddedTokenWithId, Core, CoreParts};

/// Added tokens that are read; the largest lists of today have some thousands.
const MOST_ADDED_TOKENS: usize = 1 << 20;

/// The parts of the file as text.
#[derive(Debug, Deserialize)]
struct File<'t> {
    #[serde(default)]
    added_tokens: Vec<AddedTokenWithId>,
    #[serde(borrow, default)]
    normalizer: Option<&'t RawValue>,
    #[serde(borrow, default)]
    pre_tokenizer: Option<&'t RawValue>,
    #[serde(borrow, default)]
    post_processor: Option<&'t RawValue>,
    #[serde(borrow, default)]
    decoder: Option<&'t RawValue>,
    #[serde(borrow)]
    model: &'t RawValue,
}

/// A BPE model; what is missing or null is off.
#[derive(Debug, Deserialize)]
struct BpeJson {
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocab,
    merges: MergesJson,
}

/// A file and its text, for errors about a piece of it.
#[derive(Clone, Copy)]
struct Text<'t> {
    bytes: &'t [u8],
    path: &'t Path,
}

impl Text<'_> {
    /// An error in a piece of the file, with the line of the file.
    fn error(&self, piece: &RawValue, error: &serde_json::Error) -> Error {
        let at = (piece.get().as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize);
        let before = self.bytes.get(..at).unwrap_or_default();
        Error::json_from(self.path, 1 + memchr::memchr_iter(b'\n', before).count(), error)
    }

    /// A step that passed the checks.
    fn step<T: DeserializeOwned>(&self, piece: Option<&RawValue>) -> Result<Option<T>> {
        let Some(piece) = piece else { return Ok(None) };
        let value: Value = serde_json::from_str(piece.get()).map_err(|e| self.error(piece, &e))?;
        step_checks::check(&value, self.path)?;
        serde_json::from_value(value).map(Some).map_err(|e| self.error(piece, &e))
    }

    fn model(&self, piece: &RawValue) -> Result<ModelWrapper> {
        /// What a model says that it is.
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type", default)]
            kind: Option<String>,
            /// Files of old releases have no type; merges tell a BPE.
            #[serde(default)]
            merges: Option<serde::de::IgnoredAny>,
        }
        let refused = |error: serde_json::Error| self.error(piece, &error);
        let kind: Kind = serde_json::from_str(piece.get()).map_err(refused)?;
        match kind.kind.as_deref() {
            Some("BPE") => self.bpe(piece),
            None if kind.merges.is_some() => self.bpe(piece),
            Some("Unigram") => {
                serde_json::from_str::<Unigram>(piece.get()).map(ModelWrapper::Unigram).map_err(refused)
            }
            _ => {
                let model: ModelWrapper = serde_json::from_str(piece.get()).map_err(refused)?;
                let ids = tokenizers::Model::get_vocab(&model).into_values();
                merges::check_ids(ids).map_err(|message| Error::format(self.path, message))?;
                Ok(model)
            }
        }
    }

    fn bpe(&self, piece: &RawValue) -> Result<ModelWrapper> {
        let json: BpeJson = serde_json::from_str(piece.get()).map_err(|e| self.error(piece, &e))?;
        let broken = |message: String| Error::format(self.path, message);
        let mut builder =
            merges::builder(json.vocab, json.merges.0, json.continuing_subword_prefix).map_err(broken)?;
        if let Some(dropout) = json.dropout {
            builder = builder.dropout(dropout);
        }
        if let Some(unk) = json.unk_token {
            builder = builder.unk_token(unk);
        }
        if let Some(suffix) = json.end_of_word_suffix {
            builder = builder.end_of_word_suffix(suffix);
        }
        let model = builder
            .fuse_unk(json.fuse_unk.unwrap_or(false))
            .byte_fallback(json.byte_fallback.unwrap_or(false))
            .ignore_merges(json.ignore_merges.unwrap_or(false))
            .build();
        model.map(ModelWrapper::BPE).map_err(|e| broken(format!("the merges do not fit the vocabulary: {e}")))
    }
}

/// Reads a `tokenizer.json` (merges as strings or as pairs).
///
/// # Errors
/// Broken JSON, and parts that the library cannot take.
pub fn read(bytes: &[u8], path: &Path) -> Result<CoreParts> {
    let file: File<'_> = serde_json::from_slice(bytes).map_err(|e| Error::json(path, &e))?;
    if file.added_tokens.len() > MOST_ADDED_TOKENS {
        let count = file.added_tokens.len();
        return Err(Error::format(path, format!("{count} added tokens ({MOST_ADDED_TOKENS} are the most)")));
    }
    let text = Text { bytes, path };
    Ok(CoreParts {
        normalizer: text.step(file.normalizer)?,
        pre_tokenizer: text.step(file.pre_tokenizer)?,
        post_processor: text.step(file.post_processor)?,
        decoder: text.step(file.decoder)?,
        model: text.model(file.model)?,
        added_tokens: file.added_tokens,
    })
}

/// Adds the file's tokens in its order, in runs of special and ordinary ones (as the library's own reader does).
pub fn add_tokens(core: &mut Core, tokens: Vec<AddedTokenWithId>) -> Result<()> {
    for run in tokens.chunk_by(|a, b| a.token.special == b.token.special) {
        let special = run.first().is_some_and(|t| t.token.special);
        let run = run.iter().map(|t| t.token.clone());
        let added = if special { core.add_special_tokens(run) } else { core.add_tokens(run) };
        added.map_err(|e| Error::Encode(e.to_string()))?;
    }
    Ok(())
}

/// True where merges are written as pairs, `[["a", "b"], …]`, which tokenizers before 0.20 cannot read.
pub fn merges_are_pairs(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"\"merges\"";
    let Some(at) = memchr::memmem::find(bytes, KEY) else { return false };
    let rest = bytes.iter().skip(at + KEY.len()).filter(|b| !b.is_ascii_whitespace());
    rest.take(3).copied().eq(*b":[[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_from_strings() {
        assert!(merges_are_pairs(br#"{"model": {"merges": [ ["a", "b"]]}}"#));
        assert!(!merges_are_pairs(br#"{"model": {"merges": ["a b"]}}"#));
        assert!(!merges_are_pairs(b"{}"));
    }

    #[test]
    fn an_error_names_the_line_of_the_file() {
        let text = b"{\n \"model\": {\"type\": \"BPE\", \"vocab\": {},\n \"merges\": [7]}}";
        let error = read(text, Path::new("tokenizer.json")).expect_err("no merge").to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
