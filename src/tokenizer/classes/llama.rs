//! `LlamaTokenizer`: SentencePiece from `tokenizer.model`; Llama 1 and 2, Vicuna, Mistral and many more.

use std::sync::Arc;

use tokenizers::AddedToken;
use tokenizers::models::ModelWrapper;

use super::class_input::ClassInput;
use super::python_class::{AttributeScope, BASE, PythonClass};
use super::sentencepiece_v5;
use super::v5_class::V5Class;
use crate::error::{Error, Result};
use crate::tokenizer::config::TokenDefaults;
use crate::tokenizer::core::{AddedTokenWithId, CoreParts};
use crate::tokenizer::facts::PaddingSide;
use crate::tokenizer::formats::sentencepiece::{MergeOrder, ModelProto, build_bpe, build_unigram};
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::processor::Processor;
use crate::tokenizer::slow::sentencepiece::{Joining, SentencePieceClass, SentencePieceFlavor};
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{
    llama_decoder, metaspace, part, prepended_space, reset_bpe, sequence, visible_spaces,
};

const FILE: &str = "tokenizer.model";

pub const LLAMA: PythonClass = PythonClass {
    name: "LlamaTokenizer",
    model_types: &["llama", "llava", "mistral", "mixtral"],
    fits: |files| files.has(FILE),
    tokens: TokenDefaults {
        roles: &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>")],
        wraps_strings: Some(false),
        ..TokenDefaults::NONE
    },
    adds_bos: true,
    attributes: [AttributeScope::Both, AttributeScope::Both, AttributeScope::Neither],
    clean_up_tokenization_spaces: false,
    has_legacy: true,
    slow_files: &[FILE],
    slow: Some(|input| slow(input, Joining::of(input.legacy.unwrap_or(true), input.release))),
    convert: Some(convert),
    remakes_post_processor: true,
    fast_padding_side: PaddingSide::Left,
    v5: V5Class {
        model_types: &["idefics", "idefics2"],
        fits: |parts| !is_byte_level(parts),
        has_legacy: true,
        from_files: |files, arguments| sentencepiece_v5::bpe(files, arguments),
        rebuild: |parts, arguments, legacy| {
            rebuild(parts, None, arguments.flag("add_prefix_space").unwrap_or(true), legacy)
        },
        add_prefix_space: None,
        ..V5Class::BASE
    },
    ..BASE
};

/// The slow class with one way of joining texts.
pub fn slow(input: &ClassInput<'_>, joining: Joining) -> Result<Arc<dyn SlowClass>> {
    let processor = Processor::open(input.files, FILE)?;
    Ok(Arc::new(SentencePieceClass::new(processor, joining, SentencePieceFlavor::Llama, input.release)))
}

fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let (model, path) = ModelProto::open(input.files, FILE)?;
    let mut pieces = model.scored_pieces();
    for (slot, name) in pieces.iter_mut().zip(["<unk>", "<s>", "</s>"]) {
        *slot = (name.to_string(), 0.0);
    }
    let mut parts = if model.is_bpe() {
        let mut bpe = build_bpe(&pieces, MergeOrder::Score, &path)?;
        bpe.unk_token = Some("<unk>".to_string());
        CoreParts::bare(bpe)
    } else if input.release == Release::V4_31 {
        return Err(Error::format(
            &path,
            "the fast Llama class of transformers 4.31 is made from BPE models only",
        ));
    } else {
        CoreParts::bare(build_unigram(pieces, Some(0), true, &path)?)
    };
    parts.normalizer = part(sequence("normalizers", vec![prepended_space(), visible_spaces()]))?;
    parts.decoder = part(llama_decoder(true))?;
    parts.added_tokens = ["<unk>", "<s>", "</s>"]
        .into_iter()
        .zip(0..)
        .map(|(token, id)| AddedTokenWithId { id, token: AddedToken::from(token, true) })
        .collect();
    Ok(parts)
}

/// The pipeline of 5.x: only `legacy=False` tells the start of a text from what follows a special token.
pub fn rebuild(
    parts: &mut CoreParts,
    unk: Option<String>,
    prefix: bool,
    legacy: Option<bool>,
) -> Result<bool> {
    if !matches!(parts.model, ModelWrapper::BPE(_)) {
        return Ok(false);
    }
    reset_bpe(&mut parts.model, true, true, unk);
    let scheme = match (prefix, legacy) {
        (false, _) => "never",
        (true, Some(false)) => "first",
        (true, _) => "always",
    };
    parts.normalizer = None;
    parts.pre_tokenizer = part(metaspace(scheme, false))?;
    parts.decoder = part(llama_decoder(prefix))?;
    Ok(true)
}

/// True where `tokenizer.json` is byte-level (Llama 3), so that Llama's own pipeline would not fit.
fn is_byte_level(parts: &CoreParts) -> bool {
    serde_json::to_string(&parts.pre_tokenizer).is_ok_and(|step| step.contains("\"ByteLevel\""))
}
