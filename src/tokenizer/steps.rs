//! Steps of a tokenization pipeline that several classes and formats share, in the language of `tokenizer.json`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenizers::Model;
use tokenizers::models::ModelWrapper;

use super::core::CoreParts;
use super::formats::tiktoken;
use super::release::Release;
use crate::error::{Error, Result};

/// A step of a pipeline from its description.
///
/// # Errors
/// A description that the library does not know.
pub fn part<T: DeserializeOwned>(description: Value) -> Result<Option<T>> {
    let part = serde_json::from_value(description);
    part.map(Some).map_err(|e| Error::Usage(format!("this pipeline part is not known: {e}")))
}

/// Sets keys of a step that has them.
///
/// # Errors
/// A value that the step does not take.
pub fn change<T: Serialize + DeserializeOwned>(step: &mut Option<T>, wanted: &[(&str, Value)]) -> Result<()> {
    let Some(before) = step.as_ref() else { return Ok(()) };
    let mut described = describe(before)?;
    let mut changed = false;
    for (key, value) in wanted {
        if let Some(slot) = described.get_mut(key).filter(|slot| *slot != value) {
            *slot = value.clone();
            changed = true;
        }
    }
    if changed {
        *step = part(described)?;
    }
    Ok(())
}

/// The description of a step.
///
/// # Errors
/// A step that cannot be written.
pub fn describe<T: Serialize>(step: &T) -> Result<Value> {
    serde_json::to_value(step)
        .map_err(|e| Error::Usage(format!("a step of the pipeline cannot be read: {e}")))
}

/// The id of a token of the model.
pub fn model_id(parts: &CoreParts, token: &str) -> Option<usize> {
    parts.model.token_to_id(token).and_then(|id| usize::try_from(id).ok())
}

/// Takes a model's settings back to those that a class of 5.x gives it.
pub fn reset_bpe(model: &mut ModelWrapper, fuse_unk: bool, byte_fallback: bool, unk: Option<String>) {
    if let ModelWrapper::BPE(bpe) = model {
        bpe.fuse_unk = fuse_unk;
        bpe.byte_fallback = byte_fallback;
        bpe.unk_token = unk;
        bpe.ignore_merges = false;
        bpe.dropout = None;
    }
}

/// The byte-level step of GPT-2's family.
pub fn byte_level_step(add_prefix_space: bool, use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex,
    })
}

/// The byte-level post-processor, which changes offsets only.
pub fn byte_level_offsets() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true})
}

/// GPT-2's pipeline around its model.
pub fn set_byte_level(parts: &mut CoreParts, add_prefix_space: bool) -> Result<()> {
    parts.pre_tokenizer = part(byte_level_step(add_prefix_space, true))?;
    parts.decoder = part(byte_level_step(true, true))?;
    Ok(())
}

/// Qwen-2's pipeline around its model.
pub fn set_qwen2(parts: &mut CoreParts, add_prefix_space: bool) -> Result<()> {
    parts.normalizer = part(json!({"type": "NFC"}))?;
    parts.pre_tokenizer = part(json!({"type": "Sequence", "pretokenizers": [
        split(&json!({"Regex": tiktoken::DIGIT_BY_DIGIT_PATTERN}), "Isolated"),
        byte_level_step(add_prefix_space, false),
    ]}))?;
    parts.decoder = part(byte_level_step(true, true))?;
    Ok(())
}

/// A split at a pattern (`{"Regex": …}` or `{"String": …}`).
pub fn split(pattern: &Value, behavior: &str) -> Value {
    json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false})
}

/// Spaces made visible, as SentencePiece models have them.
pub fn visible_spaces() -> Value {
    json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
}

/// A visible space put before a text.
pub fn prepended_space() -> Value {
    json!({"type": "Prepend", "prepend": "▁"})
}

/// A space before each word made visible, and a text cut at them. `scheme` is `always`, `first` or `never`: where
/// one is put that was not there.
pub fn metaspace(scheme: &str, split: bool) -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split})
}

/// Steps one after another: the value of `"normalizers"`, `"pretokenizers"` or `"decoders"`.
pub fn sequence(key: &str, steps: Vec<Value>) -> Value {
    json!({"type": "Sequence", key: steps})
}

/// Byte pieces joined, `▁` read as a space, the dummy space taken off.
pub fn llama_decoder(strips_first: bool) -> Value {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if strips_first {
        steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    sequence("decoders", steps)
}

/// What the converters of SentencePiece models do about runs of spaces.
pub fn fewer_spaces(release: Release) -> Vec<Value> {
    let runs = json!({"Regex": " {2,}"});
    match release {
        Release::V4_31 => vec![json!({"type": "Replace", "pattern": runs, "content": " "})],
        _ => vec![
            json!({"type": "Strip", "strip_left": false, "strip_right": true}),
            json!({"type": "Replace", "pattern": runs, "content": "▁"}),
        ],
    }
}

/// BERT's pipeline around its model, without a post-processor. `strip_accents: None` strips them with the case.
pub fn set_bert(
    parts: &mut CoreParts,
    lowercase: bool,
    strip_accents: Option<bool>,
    spaces_chinese: bool,
) -> Result<()> {
    parts.normalizer = part(json!({
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": spaces_chinese,
        "strip_accents": strip_accents, "lowercase": lowercase,
    }))?;
    parts.pre_tokenizer = part(json!({"type": "BertPreTokenizer"}))?;
    parts.decoder = part(json!({"type": "WordPiece", "prefix": "##", "cleanup": true}))?;
    Ok(())
}

/// A post-processor that puts one token before a text, one behind it, or both, each with its id. (Of two texts, which
/// nothing here encodes, the library wants a form all the same.)
pub fn template(before: Option<(&str, usize)>, behind: Option<(&str, usize)>) -> Value {
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let token = |token: Option<(&str, usize)>| {
        token.map(|(token, _)| json!({"SpecialToken": {"id": token, "type_id": 0}}))
    };
    let around = |texts: &[&str]| -> Vec<Value> {
        token(before).into_iter().chain(texts.iter().map(|id| text(id))).chain(token(behind)).collect()
    };
    let tokens: serde_json::Map<String, Value> = [before, behind]
        .into_iter()
        .flatten()
        .map(|(token, id)| (token.to_string(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    json!({
        "type": "TemplateProcessing", "single": around(&["A"]), "pair": around(&["A", "B"]),
        "special_tokens": tokens,
    })
}
