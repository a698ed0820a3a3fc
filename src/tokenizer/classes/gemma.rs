//! `GemmaTokenizer`: its slow class is not reproduced; 5.x builds a pipeline from its `tokenizer.model`.

use serde_json::json;
use tokenizers::models::ModelWrapper;

use super::python_class::{BASE, PythonClass};
use super::sentencepiece_v5;
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::facts::PaddingSide;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{llama_decoder, part, reset_bpe, split, visible_spaces};

pub const GEMMA: PythonClass = PythonClass {
    name: "GemmaTokenizer",
    first_release: Some("4.38"),
    model_types: &["gemma", "gemma2"],
    tokens: TokenDefaults {
        roles: &[
            (Role::Bos, "<bos>"),
            (Role::Eos, "<eos>"),
            (Role::Unk, "<unk>"),
            (Role::Pad, "<pad>"),
            (Role::Mask, "<mask>"),
        ],
        wraps_strings: Some(false),
        ..TokenDefaults::NONE
    },
    adds_bos: true,
    clean_up_tokenization_spaces: false,
    slow_files: &["tokenizer.model"],
    fast_padding_side: PaddingSide::Left,
    v5: V5Class {
        model_types: &["gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "recurrent_gemma"],
        from_files: |files, arguments| sentencepiece_v5::bpe(files, arguments),
        rebuild: |parts, arguments, _| rebuild(parts, arguments),
        ..V5Class::BASE
    },
    ..BASE
};

fn rebuild(parts: &mut CoreParts, arguments: &InitArguments) -> Result<bool> {
    if !matches!(parts.model, ModelWrapper::BPE(_)) {
        return Ok(false);
    }
    reset_bpe(&mut parts.model, true, true, arguments.unk());
    parts.normalizer = part(visible_spaces())?;
    parts.pre_tokenizer = part(split(&json!({"String": " "}), "MergedWithPrevious"))?;
    parts.decoder = part(llama_decoder(false))?;
    Ok(true)
}
