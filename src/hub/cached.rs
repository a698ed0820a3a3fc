//! What the cache holds already, for the load dialog and for work without a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::cache::RepoCache;
use super::commit::is_commit;
use super::id::HubId;
use super::listing::is_tokenizer_file;
use super::options::HubOptions;

/// Folders deeper than this hold nothing of a model; links cannot lead the walk astray either.
const MAX_DEPTH: usize = 6;

/// One revision of a model that is in the cache with at least one tokenizer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedModel {
    /// What to fetch to get it again. A commit that no branch names has itself as revision.
    pub id: HubId,
    pub commit: String,
    /// The snapshot.
    pub folder: PathBuf,
    /// Its tokenizer files, sorted.
    pub files: Vec<String>,
    /// When the snapshot was last added to.
    pub modified: Option<SystemTime>,
}

/// The models in the cache, by name. An unreadable cache is an empty one; no network is used.
pub fn cached_models(options: &HubOptions) -> Vec<CachedModel> {
    let Some(cache_dir) = &options.cache_dir else { return Vec::new() };
    let mut models: Vec<CachedModel> = names_in(cache_dir)
        .iter()
        .filter_map(|name| repo_of(name))
        .flat_map(|repo| revisions(cache_dir, &repo))
        .collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    models
}

/// `org/name` of a folder `models--org--name`. An id has no `--` of its own, so the first one is the slash.
fn repo_of(folder: &str) -> Option<String> {
    Some(folder.strip_prefix("models--")?.replacen("--", "/", 1))
}

fn revisions(cache_dir: &Path, repo: &str) -> Vec<CachedModel> {
    let Ok(id) = HubId::parse(repo) else { return Vec::new() };
    let folder = RepoCache::new(cache_dir, &id).folder().to_path_buf();
    let mut revisions: BTreeMap<String, String> = BTreeMap::new();
    for name in files_below(&folder.join("refs")) {
        if let Ok(commit) = std::fs::read_to_string(folder.join("refs").join(&name)) {
            revisions.insert(name, commit.trim().to_string());
        }
    }
    for commit in names_in(&folder.join("snapshots")) {
        if !revisions.values().any(|named| *named == commit) {
            revisions.insert(commit.clone(), commit);
        }
    }
    revisions.retain(|_, commit| is_commit(commit));
    let model = |(revision, commit): (String, String)| {
        let folder = folder.join("snapshots").join(&commit);
        let files: Vec<String> = files_below(&folder).into_iter().filter(|f| is_tokenizer_file(f)).collect();
        let modified = std::fs::metadata(&folder).and_then(|m| m.modified()).ok();
        let id = HubId::parse(&format!("{repo}@{revision}")).ok().filter(|_| !files.is_empty())?;
        Some(CachedModel { id, commit, folder, files, modified })
    };
    revisions.into_iter().filter_map(model).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Paths of the readable files below `folder`, with `/` between the parts, sorted. A link to nothing is no file.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
        for name in names_in(folder) {
            let path = folder.join(&name);
            if path.is_file() {
                found.push(format!("{prefix}{name}"));
            } else if depth < MAX_DEPTH && path.is_dir() {
                walk(&path, &format!("{prefix}{name}/"), depth + 1, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", 0, &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_with_a_tokenizer_by_name_and_revision() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        put("models--z--two/refs/main", &a);
        put("models--z--two/refs/refs/pr/1", &b);
        for commit in [&a, &b, &c] {
            put(&format!("models--z--two/snapshots/{commit}/tokenizer.json"), "{}");
        }
        put("models--gpt2/refs/main", &format!("{a}\n"));
        put(&format!("models--gpt2/snapshots/{a}/vocab.json"), "{}");
        put(&format!("models--gpt2/snapshots/{a}/sub/vocab.json"), "{}");
        put(&format!("models--y--weights/snapshots/{a}/model.safetensors"), "");
        put("models--x--bad/refs/main", "../../..");
        put(&format!("datasets--z--two/snapshots/{a}/vocab.json"), "{}");
        let models = cached_models(&HubOptions::from_env().cache_dir(dir.path()));
        let ids: Vec<String> = models.iter().map(|m| m.id.to_string()).collect();
        assert_eq!(ids, ["gpt2", &format!("z/two@{c}"), "z/two", "z/two@refs/pr/1"]);
        assert_eq!(models[0].files, ["vocab.json"]);
        assert!(models[0].folder.join("vocab.json").is_file());
        assert!(cached_models(&HubOptions::from_env().cache_dir(dir.path().join("none"))).is_empty());
    }
}
