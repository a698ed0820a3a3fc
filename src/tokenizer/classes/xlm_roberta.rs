//! `XLMRobertaTokenizer`: SentencePiece Unigram under fairseq's ids.

use std::sync::Arc;

use serde_json::Value;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use super::roberta::ROBERTA;
use super::unigram_v5;
use super::v5_class::{PostProcessorSource, V5Class};
use crate::error::Result;
use crate::tokenizer::config::TokenDefaults;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::formats::sentencepiece::{ModelProto, build_unigram};
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::processor::Processor;
use crate::tokenizer::slow::xlm_roberta::XlmRobertaClass;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{fewer_spaces, metaspace, part, sequence, template};

const FILE: &str = "sentencepiece.bpe.model";

pub const XLM_ROBERTA: PythonClass = PythonClass {
    name: "XLMRobertaTokenizer",
    model_types: &["xlm-roberta"],
    fits: |files| files.has(FILE),
    tokens: TokenDefaults { mask: Some(false), roles: ROBERTA.tokens.roles, ..TokenDefaults::NONE },
    adds_bos: true,
    adds_eos: true,
    ends: [Role::Cls, Role::Sep],
    slow_files: &[FILE],
    slow: Some(slow),
    convert: Some(convert),
    v5: V5Class {
        model_types: &["gte", "xlm-roberta"],
        from_files: |files, arguments| convert(&ClassInput::v5(files, arguments)),
        rebuild: |parts, arguments, _| {
            let prefix = arguments.flag("add_prefix_space").unwrap_or(true);
            unigram_v5::rebuild(parts, if prefix { "always" } else { "never" }, 3)
        },
        post_processor: PostProcessorSource::Class(between_bos_and_eos),
        add_prefix_space: Some(true),
        ..V5Class::BASE
    },
    ..BASE
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    Ok(Arc::new(XlmRobertaClass::new(Processor::open(input.files, FILE)?)))
}

/// fairseq puts four tokens of its own before the model's (`<s>`, `<pad>`, `</s>`, `<unk>`), and `<mask>` last.
fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let (model, path) = ModelProto::open(input.files, FILE)?;
    let mut pieces: Vec<(String, f32)> =
        ["<s>", "<pad>", "</s>", "<unk>"].into_iter().map(|token| (token.to_string(), 0.0)).collect();
    pieces.extend(model.scored_pieces().into_iter().skip(3));
    pieces.push(("<mask>".to_string(), 0.0));
    let mut parts = CoreParts::bare(build_unigram(pieces, Some(3), false, &path)?);
    let mut normalizers: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().collect();
    normalizers.extend(fewer_spaces(input.release));
    parts.normalizer = part(sequence("normalizers", normalizers))?;
    let space = metaspace("always", true);
    parts.pre_tokenizer = part(space.clone())?;
    parts.decoder = part(space)?;
    parts.post_processor = part(template(Some(("<s>", 0)), Some(("</s>", 2))))?;
    Ok(parts)
}

/// 5.x: bos and eos by the ids that their tokens have here.
fn between_bos_and_eos(tokenizer: &mut Tokenizer) -> Result<()> {
    let end = |role: Role| {
        let token = tokenizer.special.get(role)?.content.clone();
        Some((token, usize::try_from(tokenizer.role_id(role)?).ok()?))
    };
    if let (Some(bos), Some(eos)) = (end(Role::Bos), end(Role::Eos)) {
        tokenizer.set_post_processor(part(template(Some((&bos.0, bos.1)), Some((&eos.0, eos.1))))?);
    }
    Ok(())
}
