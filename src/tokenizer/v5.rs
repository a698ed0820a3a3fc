//! transformers 5.x: one class a model, which takes vocabulary and merges and builds its own pipeline around
//! them, whatever `tokenizer.json` says; classes without such a pipeline take the file as it is.

mod pipeline;
mod registry;

pub(super) use registry::{AS_IT_IS, class_of};

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokenizers::models::unigram::Unigram;

use super::class::{ClassFacts, Loader, Release};
use super::config::InitArguments;
use super::convert::{closing_token, convert, enclosing, llama_decoder, part};
use super::core::CoreParts;
use super::fast::{add_tokens_to_core, measure_bos_and_eos, rebuild_post_processor};
use super::files::FileSet;
use super::formats::sentencepiece::{MergeOrder, ModelProto, PieceKind, build_bpe};
use super::formats::tokenizer_json;
use super::infilling::Infilling;
use super::load::LoadOptions;
use super::loaded::{Engine, Tokenizer};
use super::profile::{Profile, SlowKind};
use super::special::{Role, SpecialToken};
use crate::error::{Error, Result};

/// The class that takes a `tokenizer.json` as it is.
const BACKEND: &str = "TokenizersBackend";

/// Loads as `AutoTokenizer` of 5.x does.
pub(super) fn load(class: &str, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let parts = match files.read("tokenizer.json")? {
        Some(bytes) => Some(tokenizer_json::read(&bytes, &files.path_of("tokenizer.json"))?),
        None => None,
    };
    let base = Profile::base(class);
    let base = match base {
        "PreTrainedTokenizer" | "BloomTokenizer" => BACKEND,
        // One class for the whole family.
        "BartTokenizer" | "LEDTokenizer" | "LongformerTokenizer" | "MvpTokenizer" => "RobertaTokenizer",
        "ElectraTokenizer" | "MobileBertTokenizer" => "BertTokenizer",
        "MT5Tokenizer" => "T5Tokenizer",
        "LlamaTokenizer" if parts.as_ref().is_some_and(is_byte_level) => BACKEND,
        _ => base,
    };
    let profile = Profile::of(base);
    let mut arguments = InitArguments::read(files, profile, Release::V5)?;
    if base == "GPTNeoXTokenizer" && !arguments.names("pad_token") {
        arguments.special.set(Role::Pad, Some(SpecialToken::from_str("<|padding|>")));
    }
    if profile.slow == Some(SlowKind::T5) {
        arguments.add_sentinels();
    }
    if parts.is_some() {
        // The file's post-processor decides.
        arguments.forget(&["add_bos_token", "add_eos_token"]);
    }
    let legacy = (profile.slow == Some(SlowKind::Llama))
        .then(|| options.legacy.or_else(|| arguments.flag("legacy")).unwrap_or(false));
    let had_file = parts.is_some();
    let mut parts = match parts {
        Some(parts) => parts,
        None => from_slow_files(profile, files, &mut arguments)?,
    };
    let rebuilt = pipeline::rebuild(profile, &mut parts, &arguments, legacy)?;
    let file_tokens = if rebuilt && had_file { Vec::new() } else { std::mem::take(&mut parts.added_tokens) };
    let has_post_processor = parts.post_processor.is_some();
    let (mut core, _) = parts.assemble()?;
    tokenizer_json::add_tokens(&mut core, file_tokens)?;
    let facts = facts(base, profile, &arguments, legacy);
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), Engine::Fast(Box::new(core)));
    tokenizer.infilling = Infilling::of(profile.slow, &arguments, Release::V5);
    tokenizer.read_added_from_core();
    add_tokens(&mut tokenizer, &arguments)?;
    if profile.slow == Some(SlowKind::Qwen2) || profile.class == "CohereTokenizer" {
        let all: Vec<SpecialToken> = tokenizer.special.all().into_iter().cloned().collect();
        let all: Vec<_> = all.iter().map(|t| SpecialToken::added(&t.content, false, true)).collect();
        add_tokens_to_core(&mut tokenizer, &all)?;
    }
    let always = profile.class == "GPTNeoXTokenizer" || profile.slow == Some(SlowKind::CodeLlama);
    let explicit = always
        || !had_file && (arguments.flag("add_bos_token").or(arguments.flag("add_eos_token"))).is_some();
    finish_post_processor(&mut tokenizer, profile, explicit || !has_post_processor)?;
    measure_bos_and_eos(&mut tokenizer)?;
    Ok(tokenizer)
}

fn facts(base: &str, profile: &Profile, arguments: &InitArguments, legacy: Option<bool>) -> ClassFacts {
    let prefix = arguments.flag("add_prefix_space");
    let always_bos = profile.slow == Some(SlowKind::CodeLlama);
    ClassFacts {
        name: base.to_string(),
        loader: Loader::Fast,
        release: Release::V5,
        legacy,
        adds_bos: false,
        adds_eos: false,
        ends: [Role::Bos, Role::Eos],
        add_bos_token: Some(arguments.flag("add_bos_token").unwrap_or(always_bos)),
        add_eos_token: Some(arguments.flag("add_eos_token").unwrap_or(false)),
        // Llama and Qwen-2 pass on `None` where nothing is configured.
        add_prefix_space: match profile.slow {
            Some(SlowKind::Llama | SlowKind::Qwen2) => prefix,
            Some(SlowKind::CodeLlama | SlowKind::XlmRoberta) => Some(prefix.unwrap_or(true)),
            _ => Some(prefix.unwrap_or(false)),
        },
        can_add_tokens: true,
        model_max_length: arguments.model_max_length(),
        padding_side: arguments.side("padding_side").unwrap_or(profile.v5_padding_side()),
        truncation_side: arguments.side("truncation_side").unwrap_or_default(),
        clean_up_tokenization_spaces: arguments.flag("clean_up_tokenization_spaces").unwrap_or(false),
    }
}

/// True where `tokenizer.json` is byte-level, so that Llama's own pipeline would not fit.
fn is_byte_level(parts: &CoreParts) -> bool {
    let text = |part: Result<String, serde_json::Error>| part.unwrap_or_default();
    let pre_tokenizer = text(serde_json::to_string(&parts.pre_tokenizer));
    pre_tokenizer.contains("\"ByteLevel\"")
}

/// Model and tokens from the files of a slow class.
fn from_slow_files(profile: &Profile, files: &FileSet, arguments: &mut InitArguments) -> Result<CoreParts> {
    if matches!(profile.slow, Some(SlowKind::Llama | SlowKind::CodeLlama | SlowKind::Gemma)) {
        let path = files.path_of("tokenizer.model");
        let model = ModelProto::read(&files.require("tokenizer.model")?, &path)?;
        arguments.special.additional = declared_pieces(&model);
        if profile.slow == Some(SlowKind::CodeLlama) {
            arguments.add_infilling_tokens(Release::V5);
        }
        return Ok(CoreParts::bare(build_bpe(&model.scored_pieces(), MergeOrder::Id, &path)?));
    }
    if profile.slow.is_none() {
        return from_sentencepiece(files, arguments);
    }
    let mut parts = convert(profile, files, arguments, Release::V5)?;
    if matches!(profile.slow, Some(SlowKind::ByteLevel | SlowKind::Qwen2)) {
        parts.post_processor = None;
    }
    Ok(parts)
}

/// A `tokenizer.model` for the class that would take a `tokenizer.json` as it is: its pieces and rules, no dummy space, and
/// the roles that the model names where the configuration names none.
fn from_sentencepiece(files: &FileSet, arguments: &mut InitArguments) -> Result<CoreParts> {
    let path = files.path_of("tokenizer.model");
    let model = ModelProto::read(&files.require("tokenizer.model")?, &path)?;
    arguments.special.additional = declared_pieces(&model);
    let spec = model.trainer_spec.clone().unwrap_or_default();
    let roles = [
        (Role::Bos, spec.bos_id(), spec.bos_piece()),
        (Role::Eos, spec.eos_id(), spec.eos_piece()),
        (Role::Unk, spec.unk_id(), spec.unk_piece()),
    ];
    for (role, id, piece) in roles {
        if id >= 0 && !arguments.names(role.attribute()) {
            arguments.special.set(role, Some(SpecialToken::from_str(piece)));
        }
    }
    let mut parts = if model.is_bpe() {
        let mut bpe = build_bpe(&model.scored_pieces(), MergeOrder::Id, &path)?;
        bpe.unk_token = Some(spec.unk_piece().to_string());
        bpe.byte_fallback = spec.byte_fallback();
        CoreParts::bare(bpe)
    } else {
        let pieces = model.scored_pieces().into_iter().map(|(t, s)| (t, f64::from(s))).collect();
        let unigram = Unigram::from(pieces, Some(model.unk_id()), spec.byte_fallback());
        CoreParts::bare(
            unigram
                .map_err(|e| Error::format(&path, format!("the pieces do not make a Unigram model: {e}")))?,
        )
    };
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let steps: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().chain([spaces]).collect();
    parts.normalizer = part(json!({"type": "Sequence", "normalizers": steps}))?;
    parts.decoder = match spec.byte_fallback() {
        true => part(llama_decoder(false))?,
        false => part(json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}))?,
    };
    Ok(parts)
}

/// Pieces that the model declares take the place of additional special tokens: control ones are special, those of the
/// user are not.
fn declared_pieces(model: &ModelProto) -> Vec<SpecialToken> {
    let declared = model.entries().filter_map(|(text, _, _, kind)| match kind {
        PieceKind::Control => Some(SpecialToken::added(text, false, true)),
        PieceKind::UserDefined => Some(SpecialToken::added(text, false, false)),
        _ => None,
    });
    declared.collect()
}

/// Tokens of the files in id order, then special tokens without an entry, added as one list.
fn add_tokens(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    let mut wanted: Vec<SpecialToken> = arguments.added.values().cloned().collect();
    let mut known: BTreeSet<String> = tokenizer.added.iter().map(|(_, t)| t.content.clone()).collect();
    known.extend(wanted.iter().map(|t| t.content.clone()));
    for token in tokenizer.special.all() {
        if known.insert(token.content.clone()) {
            wanted.push(match token.plain_str {
                true => SpecialToken::added(&token.content, false, true),
                false => token.clone(),
            });
        }
    }
    for token in &mut wanted {
        token.special |= Role::ALL
            .into_iter()
            .any(|r| tokenizer.special.get(r).is_some_and(|t| t.content == token.content));
    }
    add_tokens_to_core(tokenizer, &wanted)
}

fn finish_post_processor(tokenizer: &mut Tokenizer, profile: &Profile, from_flags: bool) -> Result<()> {
    if profile.slow == Some(SlowKind::T5) {
        let id = tokenizer.role_id(Role::Eos).unwrap_or(1);
        if let Engine::Fast(core) = &mut tokenizer.engine {
            core.with_post_processor(part::<tokenizers::PostProcessorWrapper>(closing_token(
                "</s>",
                id as usize,
            ))?);
        }
        return Ok(());
    }
    if profile.slow == Some(SlowKind::XlmRoberta) {
        return between_bos_and_eos(tokenizer);
    }
    if !from_flags {
        return Ok(());
    }
    for (flag, role) in [(0, Role::Bos), (1, Role::Eos)] {
        // Without the token the wish is dropped.
        let has = tokenizer.special.get(role).is_some();
        let facts = &mut tokenizer.facts;
        let wish = if flag == 0 { &mut facts.add_bos_token } else { &mut facts.add_eos_token };
        *wish = Some(wish.unwrap_or(false) && has);
    }
    tokenizer.facts.adds_bos = tokenizer.facts.add_bos_token.unwrap_or(false);
    tokenizer.facts.adds_eos = tokenizer.facts.add_eos_token.unwrap_or(false);
    rebuild_post_processor(tokenizer)
}

/// XLM-R: bos and eos by the ids that their tokens have here.
fn between_bos_and_eos(tokenizer: &mut Tokenizer) -> Result<()> {
    let end = |role: Role| {
        let token = tokenizer.special.get(role)?.content.clone();
        Some((token, usize::try_from(tokenizer.role_id(role)?).ok()?))
    };
    let (Some(bos), Some(eos)) = (end(Role::Bos), end(Role::Eos)) else { return Ok(()) };
    let processor = part::<tokenizers::PostProcessorWrapper>(enclosing((&bos.0, bos.1), (&eos.0, eos.1), 0))?;
    if let Engine::Fast(core) = &mut tokenizer.engine {
        core.with_post_processor(processor);
    }
    Ok(())
}
