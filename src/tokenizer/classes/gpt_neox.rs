//! `GPTNeoXTokenizer`: a fast class only, byte-level BPE.

use serde_json::json;
use tokenizers::models::ModelWrapper;

use super::gpt2::{GPT2, change_fast};
use super::python_class::{AttributeScope, BASE, PythonClass};
use super::v5_class::{PostProcessorSource, V5Class};
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::special::{Role, SpecialToken};
use crate::tokenizer::steps::{part, reset_bpe, set_byte_level};

pub const GPT_NEOX: PythonClass = PythonClass {
    name: "GPTNeoXTokenizer",
    model_types: &["gpt_neox", "mpt"],
    tokens: TokenDefaults { wraps_strings: None, ..GPT2.tokens },
    attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
    change_fast,
    v5: V5Class {
        model_types: &["falcon_mamba", "gpt_neox", "mamba", "mamba2", "mpt", "olmo", "olmoe", "rwkv"],
        prepare: |arguments| {
            if !arguments.names("pad_token") {
                arguments.special.set(Role::Pad, Some(SpecialToken::from_str("<|padding|>")));
            }
        },
        rebuild: |parts, arguments, _| rebuild(parts, arguments),
        post_processor: PostProcessorSource::Flags,
        ..V5Class::BASE
    },
    ..BASE
};

fn rebuild(parts: &mut CoreParts, arguments: &InitArguments) -> Result<bool> {
    if !matches!(parts.model, ModelWrapper::BPE(_)) {
        return Ok(false);
    }
    reset_bpe(&mut parts.model, false, false, None);
    parts.normalizer = part(json!({"type": "NFC"}))?;
    set_byte_level(parts, arguments.flag("add_prefix_space").unwrap_or(false))?;
    Ok(true)
}
