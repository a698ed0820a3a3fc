//! Fast pipelines made from the slow classes' files, where there is no `tokenizer.json`.
//!
//! Each is what transformers' converter of the release builds; the parts are written in the language of
//! `tokenizer.json`.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::{AddedToken, Model};

use super::class::Release;
use super::config::InitArguments;
use super::core::{AddedTokenWithId, CoreParts};
use super::files::FileSet;
use super::formats::sentencepiece::{MergeOrder, ModelProto, build_bpe};
use super::formats::{bpe_files, tiktoken, word_piece};
use super::profile::{Profile, SlowKind};
use super::special::Role;
use crate::error::{Error, Result};

/// A part of a pipeline from its description.
pub fn part<T: DeserializeOwned>(description: Value) -> Result<Option<T>> {
    let part = serde_json::from_value(description);
    part.map(Some).map_err(|e| Error::Usage(format!("this pipeline part is not known: {e}")))
}

/// The pipeline of a class's files, as the converter of 4.x makes it.
///
/// # Errors
/// [`Error::Format`] where the class has no converter here, or a file is broken.
pub fn convert(
    profile: &Profile,
    files: &FileSet,
    arguments: &InitArguments,
    release: Release,
) -> Result<CoreParts> {
    match profile.slow {
        Some(SlowKind::Llama | SlowKind::CodeLlama) => llama(files, release),
        Some(SlowKind::T5) => t5(files, arguments, release),
        Some(SlowKind::ByteLevel | SlowKind::Qwen2) => byte_level(profile, files, arguments),
        Some(SlowKind::Roberta) => roberta(files, arguments),
        Some(SlowKind::Bert) => bert(files, arguments),
        Some(SlowKind::XlmRoberta) => xlm_roberta(files, release),
        _ => Err(Error::format(files.label(), format!("{} has no fast class", profile.class))),
    }
}

fn llama(files: &FileSet, release: Release) -> Result<CoreParts> {
    let path = files.path_of("tokenizer.model");
    let model = ModelProto::read(&files.require("tokenizer.model")?, &path)?;
    let mut pieces = model.scored_pieces();
    for (slot, name) in pieces.iter_mut().zip(["<unk>", "<s>", "</s>"]) {
        *slot = (name.to_string(), 0.0);
    }
    let mut parts = if model.is_bpe() {
        let mut bpe = build_bpe(&pieces, MergeOrder::Score, &path)?;
        bpe.unk_token = Some("<unk>".to_string());
        CoreParts::bare(bpe)
    } else if release == Release::V4_31 {
        return Err(Error::format(
            &path,
            "the fast Llama class of transformers 4.31 is made from BPE models only",
        ));
    } else {
        let pieces = pieces.into_iter().map(|(t, s)| (t, f64::from(s))).collect();
        let unigram = Unigram::from(pieces, Some(0), true)
            .map_err(|e| Error::format(&path, format!("the pieces do not make a Unigram model: {e}")))?;
        CoreParts::bare(unigram)
    };
    parts.normalizer = part(json!({"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]}))?;
    parts.decoder = part(llama_decoder(true))?;
    parts.added_tokens = ["<unk>", "<s>", "</s>"]
        .into_iter()
        .zip(0..)
        .map(|(token, id)| AddedTokenWithId { id, token: AddedToken::from(token, true) })
        .collect();
    Ok(parts)
}

/// Byte pieces joined, `▁` read as a space, the dummy space taken off.
pub fn llama_decoder(strips_first: bool) -> Value {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if strips_first {
        steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": steps})
}

/// What SentencePiece converters do about runs of spaces.
fn fewer_spaces(release: Release) -> Vec<Value> {
    let runs = json!({"Regex": " {2,}"});
    match release {
        Release::V4_31 => vec![json!({"type": "Replace", "pattern": runs, "content": " "})],
        _ => vec![
            json!({"type": "Strip", "strip_left": false, "strip_right": true}),
            json!({"type": "Replace", "pattern": runs, "content": "▁"}),
        ],
    }
}

fn t5(files: &FileSet, arguments: &InitArguments, release: Release) -> Result<CoreParts> {
    let path = files.path_of("spiece.model");
    let model = ModelProto::read(&files.require("spiece.model")?, &path)?;
    let mut pieces = model.scored_pieces();
    let extra = arguments.extra_ids();
    pieces.extend((0..extra).rev().map(|i| (format!("<extra_id_{i}>"), 0.0)));
    let eos = pieces.iter().position(|(t, _)| t == "</s>");
    let unk = model.unk_id();
    let vocabulary = pieces.into_iter().map(|(t, s)| (t, f64::from(s))).collect();
    let unigram = Unigram::from(vocabulary, Some(unk), false)
        .map_err(|e| Error::format(&path, format!("the pieces do not make a Unigram model: {e}")))?;
    let mut parts = CoreParts::bare(unigram);
    let mut normalizers: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().collect();
    normalizers.extend(fewer_spaces(release));
    parts.normalizer = part(json!({"type": "Sequence", "normalizers": normalizers}))?;
    let first = arguments.flag("legacy") == Some(false) && release == Release::V4_37;
    let scheme = if first { "first" } else { "always" };
    let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
    parts.pre_tokenizer = part(metaspace.clone())?;
    parts.decoder = part(metaspace)?;
    parts.post_processor = part(closing_token("</s>", eos.unwrap_or(1)))?;
    Ok(parts)
}

/// A post-processor that ends a text with one token.
pub fn closing_token(token: &str, id: usize) -> Value {
    json!({
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": token, "type_id": 0}},
        ],
        "pair": [
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": token, "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": token, "type_id": 0}},
        ],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    })
}

fn byte_level(profile: &Profile, files: &FileSet, arguments: &InitArguments) -> Result<CoreParts> {
    let mut parts = CoreParts::bare(bpe_files::read_set(files)?);
    let add_prefix_space = arguments.flag("add_prefix_space").unwrap_or(false);
    if profile.slow == Some(SlowKind::Qwen2) {
        qwen2_parts(&mut parts, add_prefix_space)?;
    } else {
        parts.pre_tokenizer = part(byte_level_step(add_prefix_space, true))?;
        parts.decoder = part(byte_level_step(true, true))?;
    }
    let adds_bos = profile.adds_bos_when_converted() && arguments.flag("add_bos_token").unwrap_or(false);
    let bos = arguments.special.get(Role::Bos).filter(|_| adds_bos).map(|t| t.content.as_str());
    parts.post_processor = match bos.and_then(|t| Some((t, model_id(&parts, t)?))) {
        Some((token, id)) => part(opening_token(token, id))?,
        None => part(
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}),
        )?,
    };
    Ok(parts)
}

fn model_id(parts: &CoreParts, token: &str) -> Option<usize> {
    parts.model.token_to_id(token).and_then(|id| usize::try_from(id).ok())
}

/// A post-processor that begins a text with one token.
fn opening_token(token: &str, id: usize) -> Value {
    let special = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    json!({
        "type": "TemplateProcessing",
        "single": [special.clone(), text("A", 0)],
        "pair": [special, text("A", 0), text("B", 1)],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    })
}

/// GPT-2's pipeline between `<s>` and `</s>`.
fn roberta(files: &FileSet, arguments: &InitArguments) -> Result<CoreParts> {
    let mut parts = CoreParts::bare(bpe_files::read_set(files)?);
    let add_prefix_space = arguments.flag("add_prefix_space").unwrap_or(false);
    parts.pre_tokenizer = part(byte_level_step(add_prefix_space, true))?;
    parts.decoder = part(byte_level_step(true, true))?;
    parts.post_processor = roberta_ends(&parts, arguments, true, add_prefix_space)?;
    Ok(parts)
}

/// The post-processor of RoBERTa's classes; none where the vocabulary lacks the two tokens.
pub fn roberta_ends(
    parts: &CoreParts,
    arguments: &InitArguments,
    trim_offsets: bool,
    add_prefix_space: bool,
) -> Result<Option<tokenizers::PostProcessorWrapper>> {
    let end = |role: Role| {
        let content = arguments.special.get(role)?.content.clone();
        let id = model_id(parts, &content)?;
        Some(json!([content, id]))
    };
    match (end(Role::Sep), end(Role::Cls)) {
        (Some(sep), Some(cls)) => part(json!({
            "type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": trim_offsets,
            "add_prefix_space": add_prefix_space,
        })),
        _ => Ok(None),
    }
}

/// The byte-level step of GPT-2's family.
pub fn byte_level_step(add_prefix_space: bool, use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex,
    })
}

/// What Qwen-2 adds around its model.
pub fn qwen2_parts(parts: &mut CoreParts, add_prefix_space: bool) -> Result<()> {
    parts.normalizer = part(json!({"type": "NFC"}))?;
    parts.pre_tokenizer = part(json!({"type": "Sequence", "pretokenizers": [
        {
            "type": "Split", "pattern": {"Regex": tiktoken::DIGIT_BY_DIGIT_PATTERN},
            "behavior": "Isolated", "invert": false,
        },
        byte_level_step(add_prefix_space, false),
    ]}))?;
    parts.decoder = part(byte_level_step(true, true))?;
    Ok(())
}

/// Takes a model's settings back to those that a rebuilding class gives it.
pub fn reset_bpe(model: &mut ModelWrapper, fuse_unk: bool, byte_fallback: bool, unk: Option<String>) {
    if let ModelWrapper::BPE(bpe) = model {
        bpe.fuse_unk = fuse_unk;
        bpe.byte_fallback = byte_fallback;
        bpe.unk_token = unk;
        bpe.ignore_merges = false;
        bpe.dropout = None;
    }
}

/// A template `[first] $A [last]` (and its pair form) of tokens with their ids.
pub fn enclosing(first: (&str, usize), last: (&str, usize), pair_type: u32) -> Value {
    let token = |t: (&str, usize), kind: u32| json!({"SpecialToken": {"id": t.0, "type_id": kind}});
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let entry = |t: (&str, usize)| json!({"id": t.0, "ids": [t.1], "tokens": [t.0]});
    let mut pair = vec![token(first, 0), text("A", 0), token(last, 0)];
    if pair_type == 0 {
        pair.push(token(last, 0));
    }
    pair.extend([text("B", pair_type), token(last, pair_type)]);
    json!({
        "type": "TemplateProcessing",
        "single": [token(first, 0), text("A", 0), token(last, 0)],
        "pair": pair,
        "special_tokens": {first.0: entry(first), last.0: entry(last)},
    })
}

fn bert(files: &FileSet, arguments: &InitArguments) -> Result<CoreParts> {
    let path = files.path_of("vocab.txt");
    let tokens = word_piece::read_vocab(&files.require("vocab.txt")?, &path)?;
    let unk = arguments.special.get(Role::Unk).map_or("", |t| t.content.as_str());
    let mut parts = CoreParts::bare(word_piece::build(&tokens, unk, &path)?);
    bert_parts(&mut parts, arguments)?;
    Ok(parts)
}

/// What BERT puts around its model.
pub fn bert_parts(parts: &mut CoreParts, arguments: &InitArguments) -> Result<()> {
    let content = |role: Role| arguments.special.get(role).map_or("", |t| t.content.as_str());
    let (cls, sep) = (content(Role::Cls), content(Role::Sep));
    let ends = model_id(parts, cls).zip(model_id(parts, sep));
    parts.normalizer = part(json!({
        "type": "BertNormalizer", "clean_text": true,
        "handle_chinese_chars": arguments.flag("tokenize_chinese_chars").unwrap_or(true),
        "strip_accents": arguments.flag("strip_accents"),
        "lowercase": arguments.flag("do_lower_case").unwrap_or(true),
    }))?;
    parts.pre_tokenizer = part(json!({"type": "BertPreTokenizer"}))?;
    parts.decoder = part(json!({"type": "WordPiece", "prefix": "##", "cleanup": true}))?;
    if let Some((first, last)) = ends {
        parts.post_processor = part(enclosing((cls, first), (sep, last), 1))?;
    }
    Ok(())
}

/// XLM-R puts four tokens of fairseq before the model's own: `<s>`, `<pad>`, `</s>`, `<unk>`, and `<mask>` last.
fn xlm_roberta(files: &FileSet, release: Release) -> Result<CoreParts> {
    let path = files.path_of("sentencepiece.bpe.model");
    let model = ModelProto::read(&files.require("sentencepiece.bpe.model")?, &path)?;
    let mut pieces: Vec<(String, f64)> =
        ["<s>", "<pad>", "</s>", "<unk>"].into_iter().map(|t| (t.to_string(), 0.0)).collect();
    pieces.extend(model.scored_pieces().into_iter().skip(3).map(|(t, s)| (t, f64::from(s))));
    pieces.push(("<mask>".to_string(), 0.0));
    let unigram = Unigram::from(pieces, Some(3), false)
        .map_err(|e| Error::format(&path, format!("the pieces do not make a Unigram model: {e}")))?;
    let mut parts = CoreParts::bare(unigram);
    let mut normalizers: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().collect();
    normalizers.extend(fewer_spaces(release));
    parts.normalizer = part(json!({"type": "Sequence", "normalizers": normalizers}))?;
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    parts.pre_tokenizer = part(metaspace.clone())?;
    parts.decoder = part(metaspace)?;
    parts.post_processor = part(enclosing(("<s>", 0), ("</s>", 2), 0))?;
    Ok(parts)
}
