//! Tokens to which two files give different ids.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tokenizer::{FileSet, LoadOptions, Loader, Release, TokenId, Tokenizer, load};

/// A token and the id that each file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdConflict {
    pub token: String,
    /// Places with their ids, those that list added tokens first.
    pub claims: Vec<(&'static str, TokenId)>,
    /// The id that the tokenizer at hand uses.
    pub used: Option<TokenId>,
}

impl IdConflict {
    /// `256 in tokenizer.json, 258 in added_tokens.json`.
    pub fn claimed(&self) -> String {
        let claims: Vec<String> = self.claims.iter().map(|(place, id)| format!("{id} in {place}")).collect();
        claims.join(", ")
    }
}

/// A place that gives tokens ids.
type Place = (&'static str, BTreeMap<String, TokenId>);

/// The tokens that files list as added and of which two files, or a file and the loaded tokenizer, have other ids.
/// A file that cannot be read says nothing: loading has reported it.
pub fn id_conflicts(tokenizer: &Tokenizer) -> Vec<IdConflict> {
    let files = &tokenizer.files;
    let json = |name: &str| files.json(name).ok().flatten();
    let fast = json("tokenizer.json");
    let listed = fast.as_ref().map(added_of).unwrap_or_default();
    let added: Vec<Place> = [
        ("tokenizer.json (added_tokens)", listed),
        ("tokenizer_config.json (added_tokens_decoder)", decoder(json("tokenizer_config.json").as_ref())),
        ("added_tokens.json", table(json("added_tokens.json").as_ref())),
    ]
    .into_iter()
    .filter(|(_, ids)| !ids.is_empty())
    .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let model = fast.as_ref().and_then(|file| file.get("model")?.get("vocab"));
    let slow = json("vocab.json");
    let mut conflicts = BTreeMap::new();
    for token in added.iter().flat_map(|(_, ids)| ids.keys()) {
        let mut claims: Vec<(&'static str, TokenId)> =
            added.iter().filter_map(|(place, ids)| Some((*place, *ids.get(token)?))).collect();
        claims.extend(id_in(model, token).map(|id| ("tokenizer.json (vocabulary)", id)));
        claims.extend(id_in(slow.as_ref(), token).map(|id| ("vocab.json", id)));
        let used = tokenizer.token_to_id(token);
        let first = claims.first().map(|(_, id)| *id);
        let differs = claims.iter().any(|(_, id)| Some(*id) != first) || (used.is_some() && used != first);
        if differs {
            conflicts.insert(token.clone(), IdConflict { token: token.clone(), claims, used });
        }
    }
    conflicts.into_values().collect()
}

/// `added_tokens` of a tokenizer.json.
fn added_of(file: &Value) -> BTreeMap<String, TokenId> {
    let entries = file.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let entry = |entry: &Value| Some((entry.get("content")?.as_str()?.to_string(), id(entry.get("id")?)?));
    entries.filter_map(entry).collect()
}

/// `added_tokens_decoder` of a tokenizer_config.json, turned round.
fn decoder(config: Option<&Value>) -> BTreeMap<String, TokenId> {
    let entries = config.and_then(|config| config.get("added_tokens_decoder")?.as_object());
    let entry = |(id, token): (&String, &Value)| {
        let content = token.get("content").unwrap_or(token).as_str()?;
        Some((content.to_string(), id.parse().ok()?))
    };
    entries.into_iter().flatten().filter_map(entry).collect()
}

fn table(file: Option<&Value>) -> BTreeMap<String, TokenId> {
    let entries = file.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(token, value)| Some((token.clone(), id(value)?))).collect()
}

/// A token's id in a vocabulary: a table, or a list of pieces with their scores.
fn id_in(vocabulary: Option<&Value>, token: &str) -> Option<TokenId> {
    match vocabulary? {
        Value::Object(table) => id(table.get(token)?),
        Value::Array(pieces) => {
            let at = pieces.iter().position(|piece| piece.get(0).and_then(Value::as_str) == Some(token))?;
            TokenId::try_from(at).ok()
        }
        _ => None,
    }
}

fn id(value: &Value) -> Option<TokenId> {
    TokenId::try_from(value.as_u64()?).ok()
}

/// The ids that each class and release gives some tokens, ways of loading with the same ids together; a way that
/// refuses the folder is left out.
pub fn used_ids(files: &FileSet, tokens: &[&str]) -> Vec<(String, Vec<Option<TokenId>>)> {
    let mut ways: Vec<(Vec<String>, Vec<Option<TokenId>>)> = Vec::new();
    for release in Release::ALL {
        for loader in [Loader::Slow, Loader::Fast] {
            // Release 5 has one class a model.
            if release == Release::V5 && loader == Loader::Slow {
                continue;
            }
            let options = LoadOptions { loader: Some(loader), release, ..LoadOptions::default() };
            let Ok(loaded) = load(files.label(), files, options) else { continue };
            // Where there is no class of the asked kind, another is taken, which has its own line.
            if release != Release::V5 && loaded.facts.loader != loader {
                continue;
            }
            let name = match release {
                Release::V5 => release.name().to_string(),
                release => format!("{} {}", loader.name(), release.name()),
            };
            let ids = tokens.iter().map(|token| loaded.token_to_id(token)).collect();
            match ways.iter_mut().find(|(_, known)| *known == ids) {
                Some((names, _)) => names.push(name),
                None => ways.push((vec![name], ids)),
            }
        }
    }
    ways.into_iter().map(|(names, ids)| (names.join(", "), ids)).collect()
}
