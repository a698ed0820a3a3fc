//! The pipelines that classes of 5.x put around vocabulary and merges, a function a class.

use serde_json::json;
use tokenizers::Model;
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;

use crate::error::{Error, Result};
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::convert::{
    bert_parts, byte_level_step, llama_decoder, part, qwen2_parts, reset_bpe, roberta_ends,
};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::profile::{Profile, SlowKind};
use crate::tokenizer::special::Role;

/// Puts the class's own pipeline around the model; false for classes that have none.
pub(super) fn rebuild(
    profile: &Profile,
    parts: &mut CoreParts,
    arguments: &InitArguments,
    legacy: Option<bool>,
) -> Result<bool> {
    let add_prefix_space = arguments.flag("add_prefix_space");
    match (profile.slow, &parts.model) {
        (Some(SlowKind::Llama), ModelWrapper::BPE(_)) => {
            reset_bpe(&mut parts.model, true, true, None);
            llama(parts, add_prefix_space.unwrap_or(true), legacy)?;
        }
        (Some(SlowKind::CodeLlama), ModelWrapper::BPE(_)) => {
            reset_bpe(&mut parts.model, true, true, unk(arguments));
            llama(parts, add_prefix_space.unwrap_or(true), legacy.or(Some(false)))?;
        }
        (Some(SlowKind::ByteLevel), ModelWrapper::BPE(_)) => {
            byte_level(parts, add_prefix_space.unwrap_or(false))?;
            if profile.class == "CodeGenTokenizer" && parts.post_processor.is_none() {
                parts.post_processor = part(json!({
                    "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true,
                }))?;
            }
        }
        (Some(SlowKind::Qwen2), ModelWrapper::BPE(_)) => {
            reset_bpe(&mut parts.model, false, false, None);
            qwen2_parts(parts, add_prefix_space.unwrap_or(false))?;
        }
        (Some(SlowKind::Gemma), ModelWrapper::BPE(_)) => gemma(parts, arguments)?,
        (Some(SlowKind::T5), ModelWrapper::Unigram(_)) => unigram(parts, "always", 2)?,
        (Some(SlowKind::XlmRoberta), ModelWrapper::Unigram(_)) => {
            unigram(parts, if add_prefix_space.unwrap_or(true) { "always" } else { "never" }, 3)?;
        }
        (Some(SlowKind::Roberta), ModelWrapper::BPE(_)) => {
            let prefix = add_prefix_space.unwrap_or(false);
            byte_level(parts, prefix)?;
            let trim = arguments.flag("trim_offsets").unwrap_or(true);
            parts.post_processor = roberta_ends(parts, arguments, trim, prefix)?;
        }
        (Some(SlowKind::Bert), ModelWrapper::WordPiece(_)) => {
            bert_parts(parts, arguments)?;
        }
        (None, ModelWrapper::BPE(_)) => return rebuild_without_slow(profile, parts, add_prefix_space),
        _ => return Ok(false),
    }
    Ok(true)
}

fn unk(arguments: &InitArguments) -> Option<String> {
    arguments.special.get(Role::Unk).map(|token| token.content.clone())
}

/// Llama's and CodeLlama's: only `legacy=False` tells the start of a text from what follows a special token.
fn llama(parts: &mut CoreParts, prefix: bool, legacy: Option<bool>) -> Result<()> {
    let scheme = match (prefix, legacy) {
        (false, _) => "never",
        (true, Some(false)) => "first",
        (true, _) => "always",
    };
    parts.normalizer = None;
    parts.pre_tokenizer = part(json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false,
    }))?;
    parts.decoder = part(llama_decoder(prefix))?;
    Ok(())
}

/// GPT-2's and its relatives'.
fn byte_level(parts: &mut CoreParts, prefix: bool) -> Result<()> {
    reset_bpe(&mut parts.model, false, false, None);
    parts.normalizer = None;
    parts.pre_tokenizer = part(byte_level_step(prefix, true))?;
    parts.decoder = part(byte_level_step(true, true))?;
    Ok(())
}

fn gemma(parts: &mut CoreParts, arguments: &InitArguments) -> Result<()> {
    reset_bpe(&mut parts.model, true, true, unk(arguments));
    parts.normalizer = part(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}))?;
    parts.pre_tokenizer = part(json!({
        "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false,
    }))?;
    parts.decoder = part(llama_decoder(false))?;
    Ok(())
}

/// Unigram models: T5's and XLM-R's. The classes know where their unknown token is, whatever the file says.
fn unigram(parts: &mut CoreParts, scheme: &str, unk_id: usize) -> Result<()> {
    if let ModelWrapper::Unigram(model) = &parts.model
        && (model.byte_fallback() || unknown_id(model) != Some(unk_id))
    {
        let vocabulary: Vec<(String, f64)> = model.iter().cloned().collect();
        let model = Unigram::from(vocabulary, Some(unk_id), false)
            .map_err(|e| Error::Usage(format!("the vocabulary makes no model of this class: {e}")))?;
        parts.model = ModelWrapper::Unigram(model);
    }
    parts.normalizer = keep_charsmap(parts)?;
    let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
    parts.pre_tokenizer = part(json!({"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, metaspace.clone(),
    ]}))?;
    parts.decoder = part(metaspace)?;
    Ok(())
}

/// The id of a character that no vocabulary has. (The model does not tell its unknown token, and to build one anew takes
/// longer than all the rest.)
fn unknown_id(model: &Unigram) -> Option<usize> {
    let tokens = model.tokenize("\u{10FFFF}").ok()?;
    tokens.first().and_then(|token| usize::try_from(token.id).ok())
}

/// The same for classes that never had a slow one.
fn rebuild_without_slow(
    profile: &Profile,
    parts: &mut CoreParts,
    add_prefix_space: Option<bool>,
) -> Result<bool> {
    let prefix = add_prefix_space.unwrap_or(false);
    let bytes = byte_level_step(prefix, true);
    match profile.class {
        "GPTNeoXTokenizer" => {
            parts.pre_tokenizer = part(bytes)?;
            parts.decoder = part(byte_level_step(true, true))?;
        }
        "CohereTokenizer" => {
            parts.pre_tokenizer = part(json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": true}, bytes.clone(),
            ]}))?;
            parts.decoder = part(bytes)?;
        }
        _ => return Ok(false),
    }
    reset_bpe(&mut parts.model, false, false, None);
    parts.normalizer = part(json!({"type": "NFC"}))?;
    Ok(true)
}

/// Of a normalizer only the compiled SentencePiece rules are kept.
fn keep_charsmap(parts: &CoreParts) -> Result<Option<tokenizers::NormalizerWrapper>> {
    let described = serde_json::to_value(&parts.normalizer).unwrap_or_default();
    let steps = match described.get("normalizers").and_then(|n| n.as_array()) {
        Some(steps) => steps.clone(),
        None => vec![described],
    };
    match steps.into_iter().find(|s| s.get("type").and_then(|t| t.as_str()) == Some("Precompiled")) {
        Some(step) => part(step),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unknown_token_is_the_class_s_not_the_file_s() {
        let pieces: Vec<_> = ["<unk>", "<s>", "</s>", "a"].map(|piece| (piece.to_string(), -1.0)).to_vec();
        let model = Unigram::from(pieces, Some(0), false).expect("a model");
        assert_eq!(unknown_id(&model), Some(0));
        let mut parts = CoreParts::bare(model);
        unigram(&mut parts, "always", 3).expect("rebuilds");
        let ModelWrapper::Unigram(model) = &parts.model else { panic!("still Unigram") };
        assert_eq!(unknown_id(model), Some(3));
        assert!(unigram(&mut parts, "always", 4).is_err(), "no such token");
    }
}
