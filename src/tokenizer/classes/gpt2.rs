//! `GPT2Tokenizer`: byte-level BPE from `vocab.json` and `merges.txt`.

use std::sync::Arc;

use serde_json::json;
use tokenizers::models::ModelWrapper;

use super::class_input::ClassInput;
use super::python_class::{AttributeScope, BASE, PythonClass};
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::formats::bpe_files;
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::byte_level::{ByteLevelClass, PrefixSpace};
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{
    byte_level_offsets, change, model_id, part, reset_bpe, set_byte_level, template,
};

pub const GPT2: PythonClass = PythonClass {
    name: "GPT2Tokenizer",
    model_types: &["gpt2", "gpt_bigcode", "gpt_neo", "gptj", "opt"],
    fits: |files| files.has("vocab.json") && files.has("merges.txt"),
    tokens: TokenDefaults {
        roles: &[(Role::Bos, "<|endoftext|>"), (Role::Eos, "<|endoftext|>"), (Role::Unk, "<|endoftext|>")],
        wraps_strings: Some(true),
        ..TokenDefaults::NONE
    },
    attributes: [AttributeScope::Both, AttributeScope::Neither, AttributeScope::Both],
    slow_files: &["vocab.json", "merges.txt"],
    slow: Some(slow),
    convert: Some(convert),
    change_fast,
    v5: V5Class {
        model_types: &[
            "blip-2",
            "codegen",
            "dbrx",
            "gpt2",
            "gpt_neo",
            "gptj",
            "instructblip",
            "opt",
            "phi",
            "starcoder2",
        ],
        from_files: |files, arguments| {
            Ok(CoreParts { post_processor: None, ..convert(&ClassInput::v5(files, arguments))? })
        },
        rebuild: |parts, arguments, _| rebuild(parts, arguments),
        ..V5Class::BASE
    },
    ..BASE
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    Ok(Arc::new(byte_level(input, PrefixSpace::Always)?))
}

/// A class on vocab.json and merges.txt; `prefix` is what `add_prefix_space` means to it.
pub fn byte_level(input: &ClassInput<'_>, prefix: PrefixSpace) -> Result<ByteLevelClass> {
    let is_wanted = input.arguments.flag("add_prefix_space").unwrap_or(false);
    let prefix = if is_wanted { prefix } else { PrefixSpace::Never };
    ByteLevelClass::new(bpe_files::read_set(input.files)?, prefix)
}

/// The converter gives GPT-2 a post-processor for `add_bos_token`; the related classes have none.
fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let mut parts = convert_without_bos(input)?;
    let adds_bos = input.arguments.flag("add_bos_token").unwrap_or(false);
    let bos = input.arguments.special.get(Role::Bos).filter(|_| adds_bos).map(|t| t.content.as_str());
    if let Some((token, id)) = bos.and_then(|token| Some((token, model_id(&parts, token)?))) {
        parts.post_processor = part(template(Some((token, id)), None))?;
    }
    Ok(parts)
}

/// The pipeline of the converter, without special tokens.
pub fn convert_without_bos(input: &ClassInput<'_>) -> Result<CoreParts> {
    let mut parts = CoreParts::bare(bpe_files::read_set(input.files)?);
    set_byte_level(&mut parts, input.arguments.flag("add_prefix_space").unwrap_or(false))?;
    parts.post_processor = part(byte_level_offsets())?;
    Ok(parts)
}

/// `add_prefix_space` of the configuration decides over that of the byte-level step.
pub fn change_fast(parts: &mut CoreParts, arguments: &InitArguments, _: Release) -> Result<()> {
    let prefix = arguments.flag("add_prefix_space").unwrap_or(false);
    change(&mut parts.pre_tokenizer, &[("add_prefix_space", json!(prefix))])
}

/// The pipeline of 5.x.
pub fn rebuild(parts: &mut CoreParts, arguments: &InitArguments) -> Result<bool> {
    if !matches!(parts.model, ModelWrapper::BPE(_)) {
        return Ok(false);
    }
    reset_bpe(&mut parts.model, false, false, None);
    parts.normalizer = None;
    set_byte_level(parts, arguments.flag("add_prefix_space").unwrap_or(false))?;
    Ok(true)
}
