//! One fetch from beginning to end: ask the hub, load what is missing, or fall back on the cache.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::cache::RepoCache;
use super::cached::files_below;
use super::download::Route;
use super::error::HubError;
use super::http::Client;
use super::id::HubId;
use super::listing::WantedFiles;
use super::metadata::{FetchPlan, FileMetadata, plan};
use super::options::HubOptions;
use super::progress::{DownloadProgress, Reporter, Stage};

/// Brings the wanted files of a repository into the cache and returns the folder that holds them (a snapshot; it
/// may hold more). Blocks: call it off the drawing thread.
///
/// `progress` is called at every step, and while bytes come in or time passes. Its `Break` ends the fetch
/// with [`HubError::Cancelled`]; it is seen at the next piece of a body, within a tenth of a second in a pause, and
/// otherwise when the server answers or its time is up.
///
/// Offline, and when the hub cannot be reached, the copy that the cache has of this revision serves; the last report
/// then has [`Stage::FromCache`] and the reason.
///
/// # Errors
/// See [`HubError`]; nothing that fails its check stays in the cache, and a broken download goes on from where it
/// was at the next call.
pub fn fetch(
    id: &HubId,
    options: &HubOptions,
    wanted: WantedFiles<'_>,
    progress: &mut dyn FnMut(DownloadProgress) -> ControlFlow<()>,
) -> Result<PathBuf, HubError> {
    let mut reporter = Reporter::new(progress);
    let cache_dir = options.require_cache_dir()?;
    let cache = RepoCache::new(cache_dir, id);
    if options.offline {
        let missing = || HubError::NotCached { id: id.to_string(), cache: cache_dir.to_path_buf() };
        let folder = cached(&cache, id, wanted).ok_or_else(missing)?;
        reporter.served_by_cache("offline mode is on".to_string())?;
        return Ok(folder);
    }
    let client = Client::new(options)?;
    match plan(&client, id, wanted, &mut reporter) {
        Ok(plan) => load(&client, &cache, id, &plan, &mut reporter),
        Err(error) if error.is_outage() => match cached(&cache, id, wanted) {
            Some(folder) => reporter.served_by_cache(error.to_string()).map(|()| folder),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn load(
    client: &Client,
    cache: &RepoCache,
    id: &HubId,
    plan: &FetchPlan,
    reporter: &mut Reporter<'_>,
) -> Result<PathBuf, HubError> {
    let mut missing = Vec::new();
    for meta in &plan.files {
        // Two names may have one content.
        if !cache.has_blob(meta)? && !missing.iter().any(|known: &&FileMetadata| known.etag == meta.etag) {
            missing.push(meta);
        }
    }
    reporter.total(missing.iter().map(|meta| meta.size).sum());
    let present = plan.files.len() - missing.len();
    let route = Route { client, cache, id, commit: &plan.commit };
    for (done, meta) in missing.iter().enumerate() {
        reporter.files(present + done, plan.files.len());
        route.download(meta, reporter).inspect_err(|_| cache.remove_empty_folders())?;
    }
    reporter.files(plan.files.len(), plan.files.len());
    reporter.stage(Stage::Verifying, "")?;
    cache.publish(id.revision(), &plan.commit, &plan.files)
}

/// The snapshot of the id's revision, if it has what is wanted.
fn cached(cache: &RepoCache, id: &HubId, wanted: WantedFiles<'_>) -> Option<PathBuf> {
    let folder = cache.snapshot_of(id.revision())?;
    let files = files_below(&folder);
    let enough = files.iter().any(|file| wanted.takes(file)) && wanted.missing_from(&files).is_none();
    enough.then_some(folder)
}
