//! From a set of files to a [`Tokenizer`]: choose the class, read the format, apply what the class does on loading.

mod classless_format;
mod code_class;
mod fast;
mod gguf;
mod named;
mod rank_file;
mod recognize;
mod slow;
mod tekken;
mod v5;

use std::time::Duration;

use serde_json::Value;

use super::classes::{self, PythonClass};
use super::files::FileSet;
use super::formats::tokenizer_json;
use super::loaded::Tokenizer;
use super::refusals;
use super::release::{LoadOptions, Loader, Release};
use crate::error::{Error, Result};
use crate::guard;
use classless_format::ClasslessFormat;
use named::Named;
use recognize::RANKS_IN_MODEL;

/// Time for loading; the largest vocabularies of today take a second.
const LOADING: Duration = Duration::from_secs(8);

/// Loads a tokenizer from its files; `name` is what messages and screens call it.
///
/// Where `options` name no loader the slow class is taken where it can be built, as the training code does
/// (`use_fast=False`), else the fast one.
///
/// # Errors
/// Broken files, or files that no known class can be built from (the message names what is missing).
pub fn load(name: &str, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let _watched = guard::watch(|| files.label().to_string(), LOADING);
    let loaded =
        guard::contain(|| guard::within(LOADING, || load_recognized(&recognize::recognize(files)?, options)));
    let mut tokenizer = loaded.unwrap_or_else(|panic| {
        let reason = format!("its files make the tokenizers library fail, so one of them is broken: {panic}");
        Err(Error::format(files.label(), reason))
    })?;
    tokenizer.name = name.to_string();
    tokenizer.embedding_rows = embedding_rows(files);
    tokenizer.files = files.clone();
    Ok(tokenizer)
}

/// Rows of the embedding as config.json names them: at the top, or of the language model of a multimodal one.
/// A config.json that cannot be read is no obstacle to the tokenizer.
fn embedding_rows(files: &FileSet) -> Option<usize> {
    let config = files.json("config.json").ok()??;
    let rows = |at: &Value| at.get("vocab_size").and_then(Value::as_u64);
    let nested = ["text_config", "llm_config", "language_config"];
    let rows = rows(&config).or_else(|| nested.iter().find_map(|key| rows(config.get(key)?)))?;
    usize::try_from(rows).ok()
}

fn load_recognized(files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    if let Some(format) = without_class(files, options)? {
        return format.into_tokenizer(options.release);
    }
    let named = Named::in_files(files)?;
    let name = named.class(files, options.release);
    let class = classes::class(&name);
    let mut tokenizer = load_class(&name, class, files, options)?;
    tokenizer.notes.extend(too_new_for(&name, class, files, options.release)?);
    tokenizer.notes.extend(named.note(&tokenizer));
    tokenizer.notes.extend(refusals::of_configuration(files)?);
    if classes::find(&name).is_none() {
        tokenizer.notes.push(format!(
            "class {name} is not known here and its code is not run: what tokenizer.json says is taken as it is"
        ));
    }
    Ok(tokenizer)
}

/// Reads a set in a format that comes without a Python class.
fn without_class(files: &FileSet, options: LoadOptions) -> Result<Option<ClasslessFormat>> {
    let configured = files.has("tokenizer_config.json");
    if files.has("tokenizer.json") {
        Ok(None)
    } else if let Some(name) =
        files.find_suffix(".tiktoken").or(files.find_suffix("tiktoken.model")).filter(|_| configured)
    {
        rank_file::read_configured(files, name, options.split_pattern)
    } else if configured {
        Ok(None)
    } else if let Some(name) = files.find_suffix(".gguf") {
        gguf::read(files, name).map(Some)
    } else if files.has("tekken.json") {
        tekken::read(files).map(Some)
    } else if let Some(name) = files.find_suffix(".tiktoken") {
        rank_file::read(files, name, options.split_pattern)
    } else {
        Ok(None)
    }
}

/// Loads a class with the loader that the options name, or the one that the files allow.
fn load_class(name: &str, class: &PythonClass, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let has_json = files.has("tokenizer.json");
    let has_slow_files = class.has_slow_files(files);
    let slow = class.slow.filter(|_| has_slow_files);
    let is_converted =
        classes::base(name) == classes::base(classes::GENERIC_FAST) && files.has("tokenizer.model");
    let is_v5 = options.release == Release::V5 && class.can_add_tokens;
    match (options.loader, slow) {
        _ if is_v5 && (has_json || has_slow_files || is_converted) => v5::load(name, files, options),
        (Some(Loader::Slow) | None, Some(build)) => slow::load(class, build, files, options),
        (Some(Loader::Fast), Some(build)) if !class.can_add_tokens && !has_json => {
            let mut tokenizer = slow::load(class, build, files, options)?;
            tokenizer.notes.push(format!("{name} has no fast class; the slow one is used"));
            Ok(tokenizer)
        }
        (Some(Loader::Fast) | None, _) if has_json || has_slow_files => {
            fast::load(name, class, files, options)
        }
        (loader, _) => Err(nothing_to_load(name, class, files, loader)),
    }
}

/// What an older release could not have loaded: said, not refused.
fn too_new_for(name: &str, class: &PythonClass, files: &FileSet, release: Release) -> Result<Option<String>> {
    if release == Release::V5 {
        return Ok(None);
    }
    let version = release.name();
    if class.first_release.is_some_and(|first| first > version) {
        return Ok(Some(format!(
            "transformers {version} has no class {name}; it is loaded as newer releases do"
        )));
    }
    let merges_are_pairs = match files.read("tokenizer.json")? {
        Some(bytes) => tokenizer_json::merges_are_pairs(&bytes),
        None => false,
    };
    Ok(merges_are_pairs.then(|| {
        format!(
            "transformers {version} cannot read this tokenizer.json (its merges are pairs); it is loaded all the same"
        )
    }))
}

fn nothing_to_load(name: &str, class: &PythonClass, files: &FileSet, loader: Option<Loader>) -> Error {
    // `recognize` renames a tokenizer.model that holds ranks.
    if files.has(RANKS_IN_MODEL) && class.missing_file(files) == Some("tokenizer.model") {
        return Error::format(
            files.label(),
            format!(
                "{name} reads a SentencePiece model from tokenizer.model, and this tokenizer.model holds tiktoken ranks, which \
                 its slow class cannot parse: set tokenizer_class to the class that the model was published with, give a \
                 tokenizer.json, or give the rank file alone"
            ),
        );
    }
    let found: Vec<&str> = files.names().collect();
    let found = if found.is_empty() { "nothing".to_string() } else { found.join(", ") };
    let needed = match (loader, class.missing_file(files)) {
        (Some(Loader::Fast), _) => "tokenizer.json".to_string(),
        (Some(Loader::Slow), None) => {
            return Error::format(
                files.label(),
                format!("no slow class of {name} is known here; try --loader fast"),
            );
        }
        (_, Some(file)) => format!("{file} or tokenizer.json"),
        (_, None) => "tokenizer.json".to_string(),
    };
    Error::format(files.label(), format!("{name} needs {needed}; found {found}"))
}
