//! `*.tiktoken` files that no known class is named for.

use tokenizers::AddedToken;

use super::classless_format::ClasslessFormat;
use super::code_class;
use crate::error::Result;
use crate::tokenizer::classes;
use crate::tokenizer::core::AddedTokenWithId;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tiktoken::{self, KnownEncoding};
use crate::tokenizer::special::Role;

/// Ranks with a configuration: a known class reads its own; the code of an unknown one is not run.
pub fn read_configured(files: &FileSet, name: &str, asked: Option<&str>) -> Result<Option<ClasslessFormat>> {
    let config = files.json("tokenizer_config.json")?.unwrap_or_default();
    let class = config.get("tokenizer_class").and_then(|c| c.as_str());
    if class.is_some_and(|name| classes::find(name).is_some()) {
        return Ok(None);
    }
    if let Some(declared) = code_class::read(files, name, &config, asked)? {
        return Ok(Some(declared));
    }
    let mut found = read(files, name, asked)?;
    if let (Some(class), Some(ClasslessFormat { note: Some(note), .. })) = (class, &mut found) {
        *note = format!("class {class} is not known here and its code is not run; {note}");
    }
    Ok(found)
}

/// A rank file that belongs to no class; those of Qwen 1 and StableLM 2 are read by their classes.
pub fn read(files: &FileSet, name: &str, asked: Option<&str>) -> Result<Option<ClasslessFormat>> {
    if name.ends_with("qwen.tiktoken") || name.ends_with("arcade100k.tiktoken") {
        return Ok(None);
    }
    let path = files.path_of(name);
    let ranks = tiktoken::read_ranks(&files.require(name)?, &path)?;
    let known = KnownEncoding::by_rank_count(ranks.len());
    let own = asked.map(str::to_string).map_or_else(|| own_pattern(files), |p| Ok(Some(p)))?;
    let note = match &known {
        _ if asked.is_some() => format!("{} ranks: split by the pattern of --split-pattern", ranks.len()),
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
    let added = |(content, id): &(String, u32)| AddedTokenWithId {
        id: *id,
        token: AddedToken::from(content.as_str(), true).normalized(false),
    };
    parts.added_tokens = special.iter().map(added).collect();
    let adds_bos = roles.iter().any(|(r, _)| *r == Role::Bos);
    Ok(Some(ClasslessFormat { parts, roles, adds_bos, adds_eos: false, note: Some(note) }))
}

/// The split pattern that the configuration names, under tiktoken's own name for it (`pat_str`) or as `pattern`.
fn own_pattern(files: &FileSet) -> Result<Option<String>> {
    let config = files.json("tokenizer_config.json")?;
    let text = |key: &str| config.as_ref()?.get(key)?.as_str().map(str::to_string);
    Ok(text("pat_str").or_else(|| text("pattern")))
}
