//! `RobertaTokenizer` and the classes derived from it: GPT-2's pipeline between `<s>` and `</s>`.

use std::sync::Arc;

use serde_json::json;
use tokenizers::PostProcessorWrapper;

use super::class_input::ClassInput;
use super::gpt2::{byte_level, convert_without_bos, rebuild};
use super::python_class::{AttributeScope, BASE, PythonClass};
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::byte_level::PrefixSpace;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{change, model_id, part};

pub const ROBERTA: PythonClass = PythonClass {
    name: "RobertaTokenizer",
    model_types: &["roberta"],
    tokens: TokenDefaults {
        roles: &[
            (Role::Bos, "<s>"),
            (Role::Eos, "</s>"),
            (Role::Unk, "<unk>"),
            (Role::Sep, "</s>"),
            (Role::Pad, "<pad>"),
            (Role::Cls, "<s>"),
            (Role::Mask, "<mask>"),
        ],
        wraps_strings: Some(true),
        mask: Some(false),
        ..TokenDefaults::NONE
    },
    adds_bos: true,
    adds_eos: true,
    ends: [Role::Cls, Role::Sep],
    attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
    slow_files: &["vocab.json", "merges.txt"],
    slow: Some(slow),
    convert: Some(convert),
    change_fast,
    v5: V5Class {
        model_types: &["bart", "longformer", "roberta"],
        from_files: |files, arguments| convert(&ClassInput::v5(files, arguments)),
        rebuild: |parts, arguments, _| rebuild_between_ends(parts, arguments),
        ..V5Class::BASE
    },
    ..BASE
};

/// A derived class: 5.x has one for the whole family.
const DERIVED: PythonClass = PythonClass {
    model_types: &[],
    v5: V5Class { name: Some(ROBERTA.name), model_types: &[], ..ROBERTA.v5 },
    ..ROBERTA
};

pub const BART: PythonClass = PythonClass {
    name: "BartTokenizer",
    model_types: &["bart"],
    tokens: TokenDefaults { mask: Some(true), ..ROBERTA.tokens },
    ..DERIVED
};

pub const LONGFORMER: PythonClass = PythonClass { name: "LongformerTokenizer", ..DERIVED };

pub const LED: PythonClass = PythonClass {
    name: "LEDTokenizer",
    tokens: BART.tokens,
    v5: V5Class { model_types: &["led"], ..DERIVED.v5 },
    ..DERIVED
};

pub const MVP: PythonClass = PythonClass {
    name: "MvpTokenizer",
    tokens: TokenDefaults { wraps_strings: Some(false), ..ROBERTA.tokens },
    v5: V5Class { model_types: &["mvp"], ..DERIVED.v5 },
    ..DERIVED
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    Ok(Arc::new(byte_level(input, PrefixSpace::UnlessSpace)?))
}

fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let mut parts = convert_without_bos(input)?;
    let prefix = input.arguments.flag("add_prefix_space").unwrap_or(false);
    parts.post_processor = ends(&parts, input.arguments, true, prefix)?;
    Ok(parts)
}

/// `add_prefix_space` of the configuration decides over that of the byte-level step and of the post-processor, and
/// `trim_offsets` over the latter's.
fn change_fast(parts: &mut CoreParts, arguments: &InitArguments, release: Release) -> Result<()> {
    super::gpt2::change_fast(parts, arguments, release)?;
    let prefix = arguments.flag("add_prefix_space").unwrap_or(false);
    let trim = arguments.flag("trim_offsets").unwrap_or(true);
    let wanted = [("add_prefix_space", json!(prefix)), ("trim_offsets", json!(trim))];
    change(&mut parts.post_processor, &wanted)
}

fn rebuild_between_ends(parts: &mut CoreParts, arguments: &InitArguments) -> Result<bool> {
    let is_rebuilt = rebuild(parts, arguments)?;
    if is_rebuilt {
        let prefix = arguments.flag("add_prefix_space").unwrap_or(false);
        let trim = arguments.flag("trim_offsets").unwrap_or(true);
        parts.post_processor = ends(parts, arguments, trim, prefix)?;
    }
    Ok(is_rebuilt)
}

/// The post-processor; none where the vocabulary lacks one of the two tokens.
fn ends(
    parts: &CoreParts,
    arguments: &InitArguments,
    trim_offsets: bool,
    add_prefix_space: bool,
) -> Result<Option<PostProcessorWrapper>> {
    let end = |role: Role| {
        let content = arguments.special.get(role)?.content.as_str();
        Some(json!([content, model_id(parts, content)?]))
    };
    match (end(Role::Sep), end(Role::Cls)) {
        (Some(sep), Some(cls)) => part(json!({
            "type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": trim_offsets,
            "add_prefix_space": add_prefix_space,
        })),
        _ => Ok(None),
    }
}
