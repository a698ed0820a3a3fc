//! `T5Tokenizer` (T5, mT5): SentencePiece Unigram from `spiece.model`, with sentinels `<extra_id_N>`.

use std::sync::Arc;

use serde_json::Value;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use super::unigram_v5;
use super::v5_class::{PostProcessorSource, V5Class};
use crate::error::Result;
use crate::tokenizer::add_on_loading;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::encoding::TokenId;
use crate::tokenizer::formats::sentencepiece::{ModelProto, build_unigram};
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::processor::Processor;
use crate::tokenizer::slow::sentencepiece::{Joining, SentencePieceClass, SentencePieceFlavor};
use crate::tokenizer::special::{Role, SpecialToken};
use crate::tokenizer::steps::{fewer_spaces, metaspace, part, sequence, template};

const FILE: &str = "spiece.model";

pub const T5: PythonClass = PythonClass {
    name: "T5Tokenizer",
    aliases: &["MT5Tokenizer"],
    model_types: &["mt5", "t5"],
    fits: |files| files.has(FILE),
    tokens: TokenDefaults {
        roles: &[(Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")],
        wraps_strings: Some(false),
        wraps_in_4_31: false,
        ..TokenDefaults::NONE
    },
    adds_eos: true,
    has_legacy: true,
    has_sentinels: true,
    slow_files: &[FILE],
    slow: Some(slow),
    add_on_loading,
    convert: Some(convert),
    v5: V5Class {
        model_types: &["mt5", "switch_transformers", "t5"],
        from_files: |files, arguments| convert(&ClassInput::v5(files, arguments)),
        rebuild: |parts, _, _| unigram_v5::rebuild(parts, "always", 2),
        post_processor: PostProcessorSource::Class(|tokenizer| {
            let id = tokenizer.role_id(Role::Eos).unwrap_or(1);
            tokenizer.set_post_processor(part(closing(id as usize))?);
            Ok(())
        }),
        ..V5Class::BASE
    },
    ..BASE
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    let joining = Joining::of(input.legacy.unwrap_or(true), input.release);
    let sentinels = if input.release == Release::V4_31 { input.arguments.extra_ids() } else { 0 };
    let processor = Processor::open(input.files, FILE)?;
    let class = SentencePieceClass::new(processor, joining, SentencePieceFlavor::T5, input.release);
    Ok(Arc::new(class.with_sentinels(sentinels)))
}

/// From 4.34 on the sentinels are added tokens: they take the ids behind the model's own, the last one first.
fn add_on_loading(tokenizer: &mut Tokenizer, arguments: &mut InitArguments) -> Result<()> {
    arguments.add_sentinels();
    tokenizer.special.additional = arguments.special.additional.clone();
    if tokenizer.facts.release != Release::V4_31 && arguments.added.is_empty() {
        let extra = arguments.extra_ids();
        let first = tokenizer.vocab_size();
        for i in 0..extra {
            let mut token = SpecialToken::added(&format!("<extra_id_{i}>"), false, true);
            (token.lstrip, token.rstrip) = (true, true);
            if let Ok(id) = TokenId::try_from(first + extra - 1 - i) {
                tokenizer.added.insert(id, token);
            }
        }
    }
    add_on_loading::slow(tokenizer, arguments)
}

fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let (model, path) = ModelProto::open(input.files, FILE)?;
    let mut pieces = model.scored_pieces();
    pieces.extend((0..input.arguments.extra_ids()).rev().map(|i| (format!("<extra_id_{i}>"), 0.0)));
    let eos = pieces.iter().position(|(text, _)| text == "</s>");
    let mut parts = CoreParts::bare(build_unigram(pieces, Some(model.unk_id()), false, &path)?);
    let mut normalizers: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().collect();
    normalizers.extend(fewer_spaces(input.release));
    parts.normalizer = part(sequence("normalizers", normalizers))?;
    let is_first = input.arguments.flag("legacy") == Some(false)
        && matches!(input.release, Release::V4_37 | Release::V4_57);
    let space = metaspace(if is_first { "first" } else { "always" }, true);
    parts.pre_tokenizer = part(space.clone())?;
    parts.decoder = part(space)?;
    parts.post_processor = part(closing(eos.unwrap_or(1)))?;
    Ok(parts)
}

/// eos behind a text.
fn closing(eos: usize) -> Value {
    template(None, Some(("</s>", eos)))
}
