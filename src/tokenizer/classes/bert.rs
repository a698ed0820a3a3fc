//! `BertTokenizer` and the classes derived from it: words by rules, then WordPiece from `vocab.txt`.

use std::sync::Arc;

use serde_json::json;
use tokenizers::models::ModelWrapper;

use super::class_input::ClassInput;
use super::python_class::{BASE, PythonClass};
use super::v5_class::V5Class;
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::formats::word_piece;
use crate::tokenizer::release::Release;
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::slow::bert::{BertClass, BertOptions};
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{change, model_id, part, set_bert, template};

const FILE: &str = "vocab.txt";

pub const BERT: PythonClass = PythonClass {
    name: "BertTokenizer",
    model_types: &["bert"],
    fits: |files| files.has(FILE) && !files.has("tokenizer.json"),
    tokens: TokenDefaults {
        roles: &[
            (Role::Unk, "[UNK]"),
            (Role::Sep, "[SEP]"),
            (Role::Pad, "[PAD]"),
            (Role::Cls, "[CLS]"),
            (Role::Mask, "[MASK]"),
        ],
        ..TokenDefaults::NONE
    },
    adds_bos: true,
    adds_eos: true,
    ends: [Role::Cls, Role::Sep],
    slow_files: &[FILE],
    slow: Some(slow),
    convert: Some(convert),
    change_fast,
    v5: V5Class {
        model_types: &["bert", "distilbert", "electra", "megatron-bert", "layoutlm", "nomic_bert"],
        from_files: |files, arguments| convert(&ClassInput::v5(files, arguments)),
        rebuild: |parts, arguments, _| {
            if !matches!(parts.model, ModelWrapper::WordPiece(_)) {
                return Ok(false);
            }
            set_pipeline(parts, arguments)?;
            Ok(true)
        },
        ..V5Class::BASE
    },
    ..BASE
};

pub const DISTILBERT: PythonClass = PythonClass {
    name: "DistilBertTokenizer",
    model_types: &["distilbert"],
    v5: V5Class { model_types: &[], ..BERT.v5 },
    ..BERT
};

pub const ELECTRA: PythonClass = PythonClass {
    name: "ElectraTokenizer",
    model_types: &["electra"],
    v5: V5Class { name: Some(BERT.name), model_types: &[], ..BERT.v5 },
    ..BERT
};

pub const MOBILEBERT: PythonClass = PythonClass {
    name: "MobileBertTokenizer",
    model_types: &[],
    v5: V5Class { name: Some(BERT.name), model_types: &["mobilebert"], ..BERT.v5 },
    ..BERT
};

fn slow(input: &ClassInput<'_>) -> Result<Arc<dyn SlowClass>> {
    let arguments = input.arguments;
    let unk = arguments.unk().unwrap_or_else(|| "[UNK]".to_string());
    let options = BertOptions {
        lowercase: arguments.flag("do_lower_case").unwrap_or(true),
        strip_accents: arguments.flag("strip_accents"),
        spaces_chinese: arguments.flag("tokenize_chinese_chars").unwrap_or(true),
        splits_words: arguments.flag("do_basic_tokenize").unwrap_or(true),
        never_split: arguments.texts("never_split").into_iter().collect(),
    };
    let files = input.files;
    Ok(Arc::new(BertClass::new(&files.require(FILE)?, &files.path_of(FILE), &unk, options)?))
}

fn convert(input: &ClassInput<'_>) -> Result<CoreParts> {
    let path = input.files.path_of(FILE);
    let tokens = word_piece::read_vocab(&input.files.require(FILE)?, &path)?;
    let unk = input.arguments.unk().unwrap_or_default();
    let mut parts = CoreParts::bare(word_piece::build(&tokens, &unk, &path)?);
    set_pipeline(&mut parts, input.arguments)?;
    Ok(parts)
}

/// Case, accents and Chinese characters of the normalizer are the configuration's to say.
fn change_fast(parts: &mut CoreParts, arguments: &InitArguments, _: Release) -> Result<()> {
    let flag = |key: &str| arguments.flag(key).unwrap_or(true);
    let wanted = [
        ("lowercase", json!(flag("do_lower_case"))),
        ("strip_accents", json!(arguments.flag("strip_accents"))),
        ("handle_chinese_chars", json!(flag("tokenize_chinese_chars"))),
    ];
    change(&mut parts.normalizer, &wanted)
}

/// What BERT puts around its model, in 4.x and 5.x.
fn set_pipeline(parts: &mut CoreParts, arguments: &InitArguments) -> Result<()> {
    let content = |role: Role| arguments.special.get(role).map_or("", |t| t.content.as_str());
    let end = |parts: &CoreParts, role: Role| Some((content(role), model_id(parts, content(role))?));
    let ends = end(parts, Role::Cls).zip(end(parts, Role::Sep));
    let flag = |key: &str| arguments.flag(key).unwrap_or(true);
    set_bert(parts, flag("do_lower_case"), arguments.flag("strip_accents"), flag("tokenize_chinese_chars"))?;
    if let Some((first, last)) = ends {
        parts.post_processor = part(template(Some(first), Some(last)))?;
    }
    Ok(())
}
