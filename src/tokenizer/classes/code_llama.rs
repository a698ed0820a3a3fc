//! `CodeLlamaTokenizer`: Llama's, always with the newer joins, and a fill token that makes an infilling prompt.

use super::llama::{LLAMA, rebuild, slow};
use super::python_class::PythonClass;
use super::sentencepiece_v5;
use super::v5_class::{PostProcessorSource, V5Class};
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::sentencepiece::Joining;

pub const CODE_LLAMA: PythonClass = PythonClass {
    name: "CodeLlamaTokenizer",
    first_release: Some("4.33"),
    model_types: &[],
    has_legacy: false,
    fills: true,
    slow: Some(|input| slow(input, Joining::BehindUnknown)),
    v5: V5Class {
        model_types: &["code_llama"],
        fits: |_| true,
        has_legacy: false,
        from_files: |files, arguments| {
            let parts = sentencepiece_v5::bpe(files, arguments)?;
            arguments.add_infilling_tokens(Release::V5);
            Ok(parts)
        },
        rebuild: |parts, arguments, _| {
            let prefix = arguments.flag("add_prefix_space").unwrap_or(true);
            rebuild(parts, arguments.unk(), prefix, Some(false))
        },
        post_processor: PostProcessorSource::Flags,
        add_bos_token: true,
        add_prefix_space: Some(true),
        ..LLAMA.v5
    },
    ..LLAMA
};
