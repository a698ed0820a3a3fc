//! The pipeline that T5 and XLM-R have in 5.x around a Unigram model.

use serde_json::{Value, json};
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::{Model, NormalizerWrapper};

use crate::error::{Error, Result};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::steps::{metaspace, part, sequence};

/// Puts the pipeline around a Unigram model; false for others. The classes know where their unknown token is, whatever
/// the file says.
///
/// # Errors
/// A vocabulary without that token.
pub fn rebuild(parts: &mut CoreParts, scheme: &str, unk_id: usize) -> Result<bool> {
    let ModelWrapper::Unigram(model) = &parts.model else { return Ok(false) };
    if model.byte_fallback() || unknown_id(model) != Some(unk_id) {
        let vocabulary: Vec<(String, f64)> = model.iter().cloned().collect();
        let model = Unigram::from(vocabulary, Some(unk_id), false)
            .map_err(|e| Error::Usage(format!("the vocabulary makes no model of this class: {e}")))?;
        parts.model = ModelWrapper::Unigram(model);
    }
    parts.normalizer = keep_charsmap(parts)?;
    let space = metaspace(scheme, true);
    let steps = vec![json!({"type": "WhitespaceSplit"}), space.clone()];
    parts.pre_tokenizer = part(sequence("pretokenizers", steps))?;
    parts.decoder = part(space)?;
    Ok(true)
}

/// The id of a character that no vocabulary has. (The model does not tell its unknown token, and building one anew takes
/// longer than all the rest.)
fn unknown_id(model: &Unigram) -> Option<usize> {
    let tokens = model.tokenize("\u{10FFFF}").ok()?;
    tokens.first().and_then(|token| usize::try_from(token.id).ok())
}

/// Of a normalizer only the compiled SentencePiece rules are kept.
fn keep_charsmap(parts: &CoreParts) -> Result<Option<NormalizerWrapper>> {
    let described = serde_json::to_value(&parts.normalizer).unwrap_or_default();
    let steps = match described.get("normalizers").and_then(Value::as_array) {
        Some(steps) => steps.clone(),
        None => vec![described],
    };
    let is_charsmap = |step: &Value| step.get("type").and_then(Value::as_str) == Some("Precompiled");
    steps.into_iter().find(is_charsmap).map_or(Ok(None), part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unknown_token_is_that_of_the_class() {
        let pieces: Vec<_> = ["<unk>", "<s>", "</s>", "a"].map(|piece| (piece.to_string(), -1.0)).to_vec();
        let model = Unigram::from(pieces, Some(0), false).expect("a model");
        assert_eq!(unknown_id(&model), Some(0));
        let mut parts = CoreParts::bare(model);
        assert!(rebuild(&mut parts, "always", 3).expect("rebuilds"));
        let ModelWrapper::Unigram(model) = &parts.model else { panic!("still Unigram") };
        assert_eq!(unknown_id(model), Some(3));
        assert!(rebuild(&mut parts, "always", 4).is_err(), "no such token");
    }
}
