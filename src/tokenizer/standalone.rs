//! Formats that come without a Python class: GGUF, tekken, and rank files that no class is named for.
//!
//! They are shown as `PreTrainedTokenizerFast` would show them: a pipeline and special tokens.

use serde_json::{Value, json};
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Vocab};

use super::class::{ClassFacts, Loader, Release, Side, VERY_LARGE_INTEGER};
use super::convert::{byte_level_step, llama_decoder, part, qwen2_parts};
use super::core::{AddedTokenWithId, CoreParts};
use super::encoding::TokenId;
use super::fast::{measure_bos_and_eos, rebuild_post_processor};
use super::files::FileSet;
use super::formats::gguf::{self, Metadata};
use super::formats::sentencepiece::{MergeOrder, build_bpe};
use super::formats::tiktoken::{self, KnownEncoding};
use super::formats::{tekken, tokenizer_json};
use super::load::LoadOptions;
use super::loaded::{Engine, Tokenizer};
use super::special::{Role, SpecialToken, SpecialTokens};
use crate::error::{Error, Result};

/// What such a file gives.
struct Standalone {
    parts: CoreParts,
    roles: Vec<(Role, String)>,
    adds_bos: bool,
    adds_eos: bool,
    note: Option<String>,
}

/// Loads the set if it is one of these formats.
pub(super) fn load(files: &FileSet, options: LoadOptions) -> Result<Option<Tokenizer>> {
    let found = if files.has("tokenizer.json") || files.has("tokenizer_config.json") {
        None
    } else if let Some(name) = files.find_suffix(".gguf") {
        Some(from_gguf(files, name)?)
    } else if files.has("tekken.json") {
        Some(from_tekken(files)?)
    } else if let Some(name) = files.find_suffix(".tiktoken") {
        from_ranks(files, name)?
    } else {
        None
    };
    found.map(|s| finish(s, options.release)).transpose()
}

fn finish(standalone: Standalone, release: Release) -> Result<Tokenizer> {
    let Standalone { parts, roles, adds_bos, adds_eos, note } = standalone;
    let (mut core, added) = parts.assemble()?;
    tokenizer_json::add_tokens(&mut core, added)?;
    let mut special = SpecialTokens::default();
    for (role, content) in roles {
        special.set(role, Some(SpecialToken::added(&content, false, true)));
    }
    let is_v5 = release == Release::V5;
    let facts = ClassFacts {
        name: if is_v5 { "TokenizersBackend" } else { "PreTrainedTokenizerFast" }.to_string(),
        loader: Loader::Fast,
        release,
        legacy: None,
        adds_bos,
        adds_eos,
        add_bos_token: None,
        add_eos_token: None,
        add_prefix_space: None,
        can_add_tokens: true,
        model_max_length: VERY_LARGE_INTEGER,
        padding_side: Side::Right,
        truncation_side: Side::Right,
        clean_up_tokenization_spaces: false,
    };
    let mut tokenizer = Tokenizer::new(facts, special, Engine::Fast(Box::new(core)));
    tokenizer.notes.extend(note);
    tokenizer.read_added_from_core();
    if adds_bos || adds_eos {
        rebuild_post_processor(&mut tokenizer)?;
    }
    measure_bos_and_eos(&mut tokenizer)?;
    Ok(tokenizer)
}

fn from_tekken(files: &FileSet) -> Result<Standalone> {
    let parts = tekken::read(&files.require("tekken.json")?, &files.path_of("tekken.json"))?;
    let has = |content: &str| parts.added_tokens.iter().any(|t| t.token.content == content);
    let roles = [(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")];
    let roles: Vec<_> = roles.into_iter().filter(|(_, t)| has(t)).map(|(r, t)| (r, t.to_string())).collect();
    let adds_bos = roles.iter().any(|(r, _)| *r == Role::Bos);
    Ok(Standalone { parts, roles, adds_bos, adds_eos: false, note: None })
}

/// A rank file that belongs to no class; those of Qwen-1 and StableLM go the way of their classes.
fn from_ranks(files: &FileSet, name: &str) -> Result<Option<Standalone>> {
    if name.ends_with("qwen.tiktoken") || name.ends_with("arcade100k.tiktoken") {
        return Ok(None);
    }
    let path = files.path_of(name);
    let ranks = tiktoken::read_ranks(&files.require(name)?, &path)?;
    let known = KnownEncoding::by_rank_count(ranks.len());
    let note = match &known {
        Some(known) => {
            format!("{} ranks: read as {}, as the file holds no split pattern", ranks.len(), known.name)
        }
        None => format!(
            "{} ranks are no published encoding: cl100k_base's split pattern and no special tokens are assumed",
            ranks.len()
        ),
    };
    let pattern = known.as_ref().map_or(tiktoken::THREE_DIGITS_PATTERN, |k| k.pattern);
    let special = known.as_ref().map(|k| k.special.clone()).unwrap_or_default();
    let mut parts = tiktoken::build_with_special(&ranks, &special, pattern, &path)?;
    let role = |role: Role, content: &str| {
        special.iter().find(|(t, _)| t == content).map(|(t, _)| (role, t.clone()))
    };
    let roles: Vec<_> = [
        role(Role::Bos, "<|begin_of_text|>"),
        role(Role::Eos, "<|end_of_text|>").or(role(Role::Eos, "<|endoftext|>")),
    ]
    .into_iter()
    .flatten()
    .collect();
    parts.added_tokens = special_tokens(special.iter().map(|(t, id)| (t.as_str(), *id)));
    let adds_bos = roles.iter().any(|(r, _)| *r == Role::Bos);
    Ok(Some(Standalone { parts, roles, adds_bos, adds_eos: false, note: Some(note) }))
}

fn special_tokens<'t>(tokens: impl Iterator<Item = (&'t str, TokenId)>) -> Vec<AddedTokenWithId> {
    tokens
        .map(|(t, id)| AddedTokenWithId { id, token: AddedToken::from(t, true).normalized(false) })
        .collect()
}

/// `token_type` of control and user-defined tokens.
const CONTROL: f64 = 3.0;
const USER_DEFINED: f64 = 4.0;

fn from_gguf(files: &FileSet, name: &str) -> Result<Standalone> {
    let path = files.path_of(name);
    let reader = files.open(name)?.ok_or_else(|| Error::format(&path, "the file is gone"))?;
    let metadata = gguf::read(reader, &path)?;
    let missing = |key: &str| Error::format(&path, format!("the header has no tokenizer.ggml.{key}"));
    let kind = metadata.text("model").ok_or_else(|| missing("model"))?;
    let tokens = metadata.texts("tokens").filter(|t| !t.is_empty()).ok_or_else(|| missing("tokens"))?;
    let types = metadata.numbers("token_type").unwrap_or_default();
    let (mut parts, note) = match kind {
        "llama" => {
            let scores = metadata.numbers("scores").ok_or_else(|| missing("scores"))?;
            if scores.len() != tokens.len() {
                return Err(Error::format(
                    &path,
                    format!("{} scores for {} tokens", scores.len(), tokens.len()),
                ));
            }
            (gguf_llama(&metadata, &tokens, &scores, &path)?, None)
        }
        "gpt2" => {
            let merges = metadata.texts("merges").ok_or_else(|| missing("merges"))?;
            gguf_byte_level(&metadata, &tokens, &merges, &path)?
        }
        other => {
            return Err(Error::format(
                &path,
                format!("tokenizer model {other:?} is not supported (llama, gpt2 are)"),
            ));
        }
    };
    let added =
        tokens.iter().zip(&types).zip(0..).filter(|((_, t), _)| **t == CONTROL || **t == USER_DEFINED);
    parts.added_tokens = added
        .filter(|((token, _), _)| !token.is_empty())
        .map(|((token, kind), id)| AddedTokenWithId {
            id,
            token: AddedToken::from(token.as_str(), *kind == CONTROL).normalized(false),
        })
        .collect();
    let keys = [
        (Role::Bos, "bos_token_id"),
        (Role::Eos, "eos_token_id"),
        (Role::Unk, "unknown_token_id"),
        (Role::Sep, "seperator_token_id"),
        (Role::Pad, "padding_token_id"),
    ];
    let roles: Vec<(Role, String)> = keys
        .into_iter()
        .filter_map(|(role, key)| Some((role, tokens.get(metadata.id(key)? as usize)?.clone())))
        .collect();
    let has = |role: Role| roles.iter().any(|(r, _)| *r == role);
    let adds_bos = metadata.flag("add_bos_token").unwrap_or(kind == "llama") && has(Role::Bos);
    let adds_eos = metadata.flag("add_eos_token").unwrap_or(false) && has(Role::Eos);
    Ok(Standalone { parts, roles, adds_bos, adds_eos, note })
}

fn gguf_llama(
    metadata: &Metadata,
    tokens: &[String],
    scores: &[f64],
    path: &std::path::Path,
) -> Result<CoreParts> {
    let pieces: Vec<(String, f32)> = tokens.iter().cloned().zip(scores.iter().map(|s| *s as f32)).collect();
    let mut bpe = build_bpe(&pieces, MergeOrder::Score, path)?;
    bpe.unk_token = metadata.id("unknown_token_id").and_then(|id| tokens.get(id as usize).cloned());
    let prefix = metadata.flag("add_space_prefix").unwrap_or(true);
    let mut parts = CoreParts::bare(bpe);
    let mut steps: Vec<Value> = Vec::new();
    if prefix {
        steps.push(json!({"type": "Prepend", "prepend": "▁"}));
    }
    steps.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}));
    parts.normalizer = part(json!({"type": "Sequence", "normalizers": steps}))?;
    parts.decoder = part(llama_decoder(prefix))?;
    Ok(parts)
}

fn gguf_byte_level(
    metadata: &Metadata,
    tokens: &[String],
    merges: &[String],
    path: &std::path::Path,
) -> Result<(CoreParts, Option<String>)> {
    let vocabulary: Vocab = tokens.iter().cloned().zip(0..).collect();
    let pairs = merges.iter().map(|m| {
        let pair = m.split_once(' ').map(|(l, r)| (l.to_string(), r.to_string()));
        pair.ok_or_else(|| Error::format(path, format!("the merge {m:?} is no pair")))
    });
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary, pairs.collect::<Result<Vec<_>>>()?)
        .ignore_merges(metadata.text("pre") == Some("llama-bpe"))
        .build()
        .map_err(|e| Error::format(path, format!("the merges do not fit the tokens: {e}")))?;
    let mut parts = CoreParts::bare(bpe);
    parts.decoder = part(byte_level_step(true, true))?;
    let pattern = |regex: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false},
            byte_level_step(false, false),
        ]})
    };
    let note = match metadata.text("pre") {
        Some("llama-bpe" | "llama3" | "llama-v3") => {
            parts.pre_tokenizer = part(pattern(tiktoken::THREE_DIGITS_PATTERN))?;
            None
        }
        Some("qwen2" | "stablelm2") => {
            qwen2_parts(&mut parts, false)?;
            None
        }
        pre => {
            parts.pre_tokenizer = part(byte_level_step(false, true))?;
            let known = matches!(pre, None | Some("default" | "gpt-2" | "phi-2"));
            (!known).then(|| {
                format!("the split pattern {:?} is not known here; GPT-2's is used", pre.unwrap_or(""))
            })
        }
    };
    Ok((parts, note))
}
