//! From `--repo`, `--version` and `--function` to what is called in the sandbox.

use serde_json::{Value, json};

use super::checkout::Checkout;
use super::reading::{Dispatch, DispatchKind, Import, Item, ItemKind, Reading, Registry};
use crate::error::{Error, Result};

/// What the user asks of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionChoice {
    /// A key of the template registry.
    pub version: Option<String>,
    /// `FILE:NAME` or `FILE:CLASS.NAME`.
    pub function: Option<String>,
}

/// What is called, and what is made ready before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchEntry {
    /// As the driver takes it.
    pub entry: Value,
    /// The template that is put in force.
    pub prepare: Option<Value>,
    /// The function that rewrites placeholders before.
    pub multimodal: Option<String>,
    /// A sample with a video alone goes the way of images.
    pub takes_videos: bool,
    /// File and line of what is called.
    pub file: String,
    pub line: usize,
    pub name: String,
    pub version: Option<String>,
    /// The module whose names the tokenizer's lines use.
    pub module: String,
    /// What was chosen among several.
    pub notes: Vec<String>,
    /// Other keys that could be asked for.
    pub versions: Vec<String>,
    /// Label functions of the same file.
    pub functions: Vec<String>,
}

/// Finds the entry.
///
/// # Errors
/// No function of that name, no template of that version, no dispatch at all; the message lists what there is.
pub fn find(checkout: &Checkout, reading: &Reading, choice: &FunctionChoice) -> Result<DispatchEntry> {
    let mut entry = match &choice.function {
        Some(function) => named(checkout, reading, function, choice.version.as_deref())?,
        None => dispatched(checkout, reading, choice.version.as_deref())?,
    };
    let registered = reading.registered.iter().map(|(key, _)| key.clone());
    entry.versions = match registry_of(checkout, reading, &entry.file) {
        Some(registry) => registry.keys.clone(),
        None => registered.collect(),
    };
    let own = |item: &&Item| {
        item.kind == ItemKind::LabelFunction && item.file == entry.file && !item.name.contains('.')
    };
    entry.functions = reading.items.iter().filter(own).map(|item| item.name.clone()).collect();
    Ok(entry)
}

fn named(
    checkout: &Checkout,
    reading: &Reading,
    function: &str,
    version: Option<&str>,
) -> Result<DispatchEntry> {
    let bad = || Error::Usage(format!("--function {function}: write FILE:NAME or FILE:CLASS.NAME"));
    let (file, name) = function.rsplit_once(':').ok_or_else(bad)?;
    let file = checkout.file_named(file).ok_or_else(|| {
        Error::Usage(format!("--function {function}: {} has no file {file}", checkout.root().display()))
    })?;
    let module = checkout.module_name(file);
    if let Some((class, _)) = name.split_once('.') {
        let class = class_of(checkout, reading, file, class, version);
        return Ok(DispatchEntry {
            entry: json!({"kind": "template", "path": class}),
            prepare: None,
            multimodal: None,
            takes_videos: false,
            file: file.to_string(),
            line: 0,
            name: name.to_string(),
            version: version.map(String::from),
            module,
            notes: Vec::new(),
            versions: Vec::new(),
            functions: Vec::new(),
        });
    }
    let found = reading.function(file, name).ok_or_else(|| {
        let known = reading.functions.iter().filter(|f| f.file == file).map(|f| f.name.clone()).collect();
        Error::UnknownName { kind: "function of that file", name: name.to_string(), known }
    })?;
    let by_name = found.parameters.iter().any(|p| p == "num_image_token_list");
    let (multimodal, takes_videos) = multimodal(reading, file);
    Ok(DispatchEntry {
        entry: json!({"kind": "function", "path": format!("{module}:{name}"), "image_first": by_name}),
        prepare: prepare(checkout, reading, file, version)?,
        multimodal: if by_name { None } else { multimodal.map(|name| format!("{module}:{name}")) },
        takes_videos,
        file: file.to_string(),
        line: found.line,
        name: name.to_string(),
        version: version.map(String::from),
        module,
        notes: Vec::new(),
        versions: Vec::new(),
        functions: Vec::new(),
    })
}

/// The class to make: the one named, or the one that is registered in that file under the version.
fn class_of(
    checkout: &Checkout,
    reading: &Reading,
    file: &str,
    class: &str,
    version: Option<&str>,
) -> String {
    let module = checkout.module_name(file);
    let registered = version.is_some_and(|v| reading.registered.iter().any(|(key, f)| key == v && f == file));
    let own = reading.items.iter().find(|item| item.file == file && Some(item.name.as_str()) == version);
    match own.and_then(|item| item.detail.strip_prefix("class ")) {
        Some(own) if registered => format!("{module}:{own}"),
        _ => format!("{module}:{class}"),
    }
}

fn multimodal(reading: &Reading, file: &str) -> (Option<String>, bool) {
    match reading.function(file, "preprocess_multimodal") {
        Some(function) => (Some(function.name.clone()), function.takes_videos),
        None => (None, false),
    }
}

fn dispatched(checkout: &Checkout, reading: &Reading, version: Option<&str>) -> Result<DispatchEntry> {
    let mut ranked: Vec<(u8, &Dispatch)> = reading
        .dispatches
        .iter()
        .map(|dispatch| (rank(checkout, reading, dispatch, version), dispatch))
        .collect();
    // Of several projects in one repository the one with the shortest name is the first: `chat` before `chat_old`.
    let top = |file: &str| file.split('/').next().map_or(0, str::len);
    ranked.sort_by_key(|(rank, dispatch)| {
        (*rank, top(&dispatch.file), dispatch.file.len(), dispatch.file.clone())
    });
    let Some((best, dispatch)) = ranked.first().copied() else {
        let refused = reading.items.iter().filter(|item| item.kind == ItemKind::Refused);
        let refused: Vec<&str> = refused.map(|item| item.detail.as_str()).take(MOST_REFUSED).collect();
        let unread = match refused.as_slice() {
            [] => String::new(),
            all => format!("; not read, as it is no Python: {}", all.join("; ")),
        };
        return Err(Error::Usage(format!(
            "{}: no dispatch to label functions was found (a function preprocess(sources, tokenizer, …), a method \
             …preprocess_function, or a class TextPreprocess){unread}; --function FILE:NAME names one",
            checkout.root().display()
        )));
    };
    if let Some(version) = version
        && best >= UNKNOWN_VERSION
    {
        let mut known: Vec<String> = reading.registries.iter().flat_map(|r| r.keys.clone()).collect();
        known.extend(reading.registered.iter().map(|(key, _)| key.clone()));
        known.sort();
        known.dedup();
        return Err(Error::UnknownName {
            kind: "version of this repository",
            name: version.to_string(),
            known,
        });
    }
    let mut notes = Vec::new();
    let others: Vec<String> = ranked
        .iter()
        .skip(1)
        .filter(|(rank, _)| *rank < UNKNOWN_VERSION)
        .map(|(_, d)| format!("{}:{}", d.file, d.name))
        .collect();
    if !others.is_empty() {
        notes.push(format!(
            "{}:{} is called; --function names another: {}",
            dispatch.file,
            dispatch.name,
            others.join(", ")
        ));
    }
    let module = checkout.module_name(&dispatch.file);
    let path = format!("{module}:{}", dispatch.name);
    let (entry, multimodal, takes_videos) = match dispatch.kind {
        DispatchKind::Function => {
            let (name, videos) = multimodal(reading, &dispatch.file);
            let name = name.map(|name| format!("{module}:{name}"));
            (json!({"kind": "function", "path": path}), name, videos)
        }
        DispatchKind::Method => {
            let own = json!({"template_name": version, "conv_style": version});
            (json!({"kind": "chosen", "path": path, "self": own, "image_first": true}), None, false)
        }
        DispatchKind::Class => (json!({"kind": "text", "path": path, "version": version}), None, false),
    };
    let prepare = match dispatch.kind {
        DispatchKind::Function => prepare(checkout, reading, &dispatch.file, version)?,
        DispatchKind::Method | DispatchKind::Class => None,
    };
    Ok(DispatchEntry {
        entry,
        prepare,
        multimodal,
        takes_videos,
        file: dispatch.file.clone(),
        line: dispatch.line,
        name: dispatch.name.clone(),
        version: version.map(String::from),
        module,
        notes,
        versions: Vec::new(),
        functions: Vec::new(),
    })
}

/// Files that are no Python which a message names.
const MOST_REFUSED: usize = 3;

/// From this rank on a dispatch does not know the version.
const UNKNOWN_VERSION: u8 = 4;

/// How well a dispatch fits: 0 is best.
fn rank(checkout: &Checkout, reading: &Reading, dispatch: &Dispatch, version: Option<&str>) -> u8 {
    let knows = match (version, dispatch.kind) {
        (None, _) => true,
        (Some(version), DispatchKind::Class) => reading.registered.iter().any(|(key, _)| key == version),
        (Some(version), DispatchKind::Function) => registry_of(checkout, reading, &dispatch.file)
            .is_some_and(|registry| registry.keys.iter().any(|key| key == version)),
        (Some(version), DispatchKind::Method) => {
            reading.registries.iter().any(|r| r.keys.iter().any(|key| key == version))
        }
    };
    let stem = dispatch.file.rsplit('/').next().unwrap_or_default();
    let usual = stem == "train.py" || stem.contains("finetune") || stem.contains("sft");
    (if knows { 0 } else { UNKNOWN_VERSION }) + u8::from(!usual)
}

/// The registry of the conversation module that a file imports, and the name under which the file knows that module.
pub fn library_of<'a>(
    checkout: &Checkout,
    reading: &'a Reading,
    file: &str,
) -> Option<(&'a str, &'a Registry)> {
    registry_import(checkout, reading, file).map(|(import, _, registry)| (import.bound.as_str(), registry))
}

fn registry_of<'a>(checkout: &Checkout, reading: &'a Reading, file: &str) -> Option<&'a Registry> {
    registry_import(checkout, reading, file).map(|(_, _, registry)| registry)
}

/// The import, the module's full name, and the registry in it.
fn registry_import<'a>(
    checkout: &Checkout,
    reading: &'a Reading,
    file: &str,
) -> Option<(&'a Import, String, &'a Registry)> {
    let imports = reading.imports.iter().filter(|import| import.file == file);
    for import in imports {
        let name = absolute(checkout, file, &import.module);
        let found = checkout.module(&name, Some(file)).map(|(found, _)| found);
        let Some(found) = found.or_else(|| checkout.overlay(&name, Some(file))) else { continue };
        if let Some(registry) = reading.registries.iter().find(|r| r.file == found && r.default.is_some()) {
            return Some((import, name, registry));
        }
    }
    None
}

fn absolute(checkout: &Checkout, file: &str, module: &str) -> String {
    let dots = module.len() - module.trim_start_matches('.').len();
    if dots == 0 {
        return module.to_string();
    }
    let own = checkout.module_name(file);
    let mut parts: Vec<&str> = own.split('.').collect();
    parts.truncate(parts.len().saturating_sub(dots));
    parts.push(module.trim_start_matches('.'));
    parts.retain(|part| !part.is_empty());
    parts.join(".")
}

/// `default_conversation = conv_templates[version]`, where the file's conversation module has both.
fn prepare(
    checkout: &Checkout,
    reading: &Reading,
    file: &str,
    version: Option<&str>,
) -> Result<Option<Value>> {
    let (Some(version), Some((_, module, registry))) = (version, registry_import(checkout, reading, file))
    else {
        return Ok(None);
    };
    if !registry.keys.iter().any(|key| key == version) {
        return Err(Error::UnknownName {
            kind: "version of this repository",
            name: version.to_string(),
            known: registry.keys.clone(),
        });
    }
    Ok(Some(json!({
        "module": module, "importer": file, "templates": registry.name, "default": registry.default, "version": version,
    })))
}
