//! `Qwen2Tokenizer` (Qwen 1.5 to 3): byte-level BPE with NFC and a split pattern of its own.

use std::sync::Arc;

use tokenizers::models::ModelWrapper;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::TokenDefaults;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::formats::bpe_files;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::byte_level::ByteLevelClass;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{byte_level_offsets, part, reset_bpe, set_qwen2};

pub const QWEN2: PythonClass = PythonClass {
    name: "Qwen2Tokenizer",
    first_release: Some("4.37"),
    model_types: &["qwen2"],
    tokens: TokenDefaults {
        roles: &[(Role::Eos, "<|endoftext|>"), (Role::Unk, "<|endoftext|>"), (Role::Pad, "<|endoftext|>")],
        wraps_strings: Some(false),
        ..TokenDefaults::NONE
    },
    clean_up_tokenization_spaces: false,
    slow_files: &["vocab.json", "merges.txt"],
    slow: Some(slow),
    convert: Some(convert),
    v5: V5Class {
        model_types: &[
            "internvl",
            "qwen2",
            "qwen2_5_vl",
            "qwen2_audio",
            "qwen2_moe",
            "qwen2_vl",
            "qwen3",
            "qwen3_moe",
            "qwen3_next",
            "qwen3_vl",
        ],
        // So many folders of this kind name another class that the release does not believe them.
        forced_model_types: &["qwen2"],
        from_files: |files, arguments| {
            Ok(CoreParts { post_processor: None, ..convert(&ClassInput::v5(files, arguments))? })
        },
        rebuild: |parts, arguments, _| {
            if !matches!(parts.model, ModelWrapper::BPE(_)) {
                return Ok(false);
            }
            reset_bpe(&mut parts.model, false, false, None);
            set_qwen2(parts, arguments.flag("add_prefix_space").unwrap_or(false))?;
            Ok(true)
        },
        adds_special_again: true,
        add_prefix_space: None,
        ..V5Class::BASE
    },
    ..BASE
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    Ok(Arc::new(ByteLevelClass::qwen2(bpe_files::read_set(input.files)?)?))
}

fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let mut parts = CoreParts::bare(bpe_files::read_set(input.files)?);
    set_qwen2(&mut parts, input.arguments.flag("add_prefix_space").unwrap_or(false))?;
    parts.post_processor = part(byte_level_offsets())?;
    Ok(parts)
}
