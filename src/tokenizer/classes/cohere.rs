//! `CohereTokenizer` (Command R, Aya): a fast class only.

use serde_json::json;
use tokenizers::models::ModelWrapper;

use super::python_class::{BASE, PythonClass};
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::facts::PaddingSide;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{byte_level_step, part, reset_bpe, sequence};

pub const COHERE: PythonClass = PythonClass {
    name: "CohereTokenizer",
    first_release: Some("4.39"),
    model_types: &["cohere"],
    tokens: TokenDefaults {
        roles: &[
            (Role::Bos, "<BOS_TOKEN>"),
            (Role::Eos, "<|END_OF_TURN_TOKEN|>"),
            (Role::Unk, "<UNK>"),
            (Role::Pad, "<PAD>"),
            (Role::Cls, "<CLS>"),
            (Role::Sep, "<SEP>"),
            (Role::Mask, "<MASK_TOKEN>"),
        ],
        ..TokenDefaults::NONE
    },
    clean_up_tokenization_spaces: false,
    fast_padding_side: PaddingSide::Left,
    v5: V5Class {
        model_types: &["aya_vision", "cohere", "cohere2"],
        rebuild: |parts, arguments, _| rebuild(parts, arguments),
        adds_special_again: true,
        ..V5Class::BASE
    },
    ..BASE
};

fn rebuild(parts: &mut CoreParts, arguments: &InitArguments) -> Result<bool> {
    if !matches!(parts.model, ModelWrapper::BPE(_)) {
        return Ok(false);
    }
    reset_bpe(&mut parts.model, false, false, None);
    let bytes = byte_level_step(arguments.flag("add_prefix_space").unwrap_or(false), true);
    parts.normalizer = part(json!({"type": "NFC"}))?;
    let digits = json!({"type": "Digits", "individual_digits": true});
    parts.pre_tokenizer = part(sequence("pretokenizers", vec![digits, bytes.clone()]))?;
    parts.decoder = part(bytes)?;
    Ok(true)
}
