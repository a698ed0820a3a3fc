//! Formats that come without a Python class: GGUF, tekken, and rank files that no class is named for.
//!
//! They are shown as `PreTrainedTokenizerFast` would show them: a pipeline and special tokens.

use tokenizers::AddedToken;

use super::class::{ClassFacts, Loader, Release, Side, VERY_LARGE_INTEGER};
use super::core::{AddedTokenWithId, CoreParts};
use super::encoding::TokenId;
use super::fast::{measure_bos_and_eos, rebuild_post_processor};
use super::files::FileSet;
use super::formats::tiktoken::{self, KnownEncoding};
use super::formats::{tekken, tokenizer_json};
use super::load::LoadOptions;
use super::loaded::{Engine, Tokenizer};
use super::profile::Profile;
use super::special::{Role, SpecialToken, SpecialTokens};
use crate::error::Result;

/// What such a file gives.
pub(super) struct ClasslessFormat {
    pub parts: CoreParts,
    pub roles: Vec<(Role, String)>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    pub note: Option<String>,
}

/// Loads the set if it is one of these formats.
pub(super) fn load(files: &FileSet, options: LoadOptions) -> Result<Option<Tokenizer>> {
    let configured = files.has("tokenizer_config.json");
    let found = if files.has("tokenizer.json") {
        None
    } else if let Some(name) = files.find_suffix(".tiktoken").filter(|_| configured) {
        ranks_of_unknown_class(files, name, options.split_pattern)?
    } else if configured {
        None
    } else if let Some(name) = files.find_suffix(".gguf") {
        Some(super::gguf::read(files, name)?)
    } else if files.has("tekken.json") {
        Some(from_tekken(files)?)
    } else if let Some(name) = files.find_suffix(".tiktoken") {
        from_ranks(files, name, options.split_pattern)?
    } else {
        None
    };
    found.map(|s| finish(s, options.release)).transpose()
}

/// Ranks with a configuration: those of a known class go its way, the code of an unknown one is not run.
fn ranks_of_unknown_class(
    files: &FileSet,
    name: &str,
    wished: Option<&str>,
) -> Result<Option<ClasslessFormat>> {
    let config = files.json("tokenizer_config.json")?.unwrap_or_default();
    let class = config.get("tokenizer_class").and_then(|c| c.as_str());
    if class.is_some_and(Profile::is_known) {
        return Ok(None);
    }
    let mut found = from_ranks(files, name, wished)?;
    if let (Some(class), Some(ClasslessFormat { note: Some(note), .. })) = (class, &mut found) {
        *note = format!("class {class} is not known here and its code is not run; {note}");
    }
    Ok(found)
}

fn finish(standalone: ClasslessFormat, release: Release) -> Result<Tokenizer> {
    let ClasslessFormat { parts, roles, adds_bos, adds_eos, note } = standalone;
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
        ends: [Role::Bos, Role::Eos],
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

fn from_tekken(files: &FileSet) -> Result<ClasslessFormat> {
    let parts = tekken::read(&files.require("tekken.json")?, &files.path_of("tekken.json"))?;
    let has = |content: &str| parts.added_tokens.iter().any(|t| t.token.content == content);
    let roles = [(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")];
    let roles: Vec<_> = roles.into_iter().filter(|(_, t)| has(t)).map(|(r, t)| (r, t.to_string())).collect();
    let adds_bos = roles.iter().any(|(r, _)| *r == Role::Bos);
    Ok(ClasslessFormat { parts, roles, adds_bos, adds_eos: false, note: None })
}

/// A rank file that belongs to no class; those of Qwen-1 and StableLM go the way of their classes.
fn from_ranks(files: &FileSet, name: &str, wished: Option<&str>) -> Result<Option<ClasslessFormat>> {
    if name.ends_with("qwen.tiktoken") || name.ends_with("arcade100k.tiktoken") {
        return Ok(None);
    }
    let path = files.path_of(name);
    let ranks = tiktoken::read_ranks(&files.require(name)?, &path)?;
    let known = KnownEncoding::by_rank_count(ranks.len());
    let own = wished.map(str::to_string).map_or_else(|| own_pattern(files), |p| Ok(Some(p)))?;
    let note = match &known {
        _ if wished.is_some() => format!("{} ranks: split by the pattern of --split-pattern", ranks.len()),
        _ if own.is_some() => format!("{} ranks: split by the pattern of tokenizer_config.json", ranks.len()),
        Some(known) => {
            format!("{} ranks: read as {}, as the file holds no split pattern", ranks.len(), known.name)
        }
        None => format!(
            "{} ranks are no published encoding: cl100k_base's split pattern (--split-pattern names another) and \
             no special tokens are assumed",
            ranks.len()
        ),
    };
    let published = known.as_ref().map_or(tiktoken::THREE_DIGITS_PATTERN, |k| k.pattern);
    let pattern = own.as_deref().unwrap_or(published);
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
    Ok(Some(ClasslessFormat { parts, roles, adds_bos, adds_eos: false, note: Some(note) }))
}

/// The split pattern that the configuration names, under tiktoken's own name for it (`pat_str`) or as `pattern`.
fn own_pattern(files: &FileSet) -> Result<Option<String>> {
    let config = files.json("tokenizer_config.json")?;
    let text = |key: &str| config.as_ref()?.get(key)?.as_str().map(str::to_string);
    Ok(text("pat_str").or_else(|| text("pattern")))
}

fn special_tokens<'t>(tokens: impl Iterator<Item = (&'t str, TokenId)>) -> Vec<AddedTokenWithId> {
    tokens
        .map(|(t, id)| AddedTokenWithId { id, token: AddedToken::from(t, true).normalized(false) })
        .collect()
}
