//! `CodeGenTokenizer` (phi-1.5, phi-2): GPT-2's pipeline, other attributes.

use super::class_input::ClassInput;
use super::gpt2::{GPT2, convert_without_bos, rebuild};
use super::python_class::{AttributeScope, PythonClass};
use super::v5_class::V5Class;
use crate::tokenizer::config::TokenDefaults;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::steps::{byte_level_offsets, part};

pub const CODEGEN: PythonClass = PythonClass {
    name: "CodeGenTokenizer",
    model_types: &["codegen", "phi"],
    tokens: TokenDefaults { wraps_strings: Some(false), ..GPT2.tokens },
    attributes: [AttributeScope::Slow, AttributeScope::Neither, AttributeScope::Both],
    convert: Some(convert_without_bos),
    v5: V5Class {
        model_types: &[],
        from_files: |files, arguments| {
            let parts = convert_without_bos(&ClassInput::v5(files, arguments))?;
            Ok(CoreParts { post_processor: None, ..parts })
        },
        rebuild: |parts, arguments, _| {
            let is_rebuilt = rebuild(parts, arguments)?;
            if is_rebuilt && parts.post_processor.is_none() {
                parts.post_processor = part(byte_level_offsets())?;
            }
            Ok(is_rebuilt)
        },
        ..GPT2.v5
    },
    ..GPT2
};
