//! What a `--tokenizer` value points to: an embedded sample, a folder, a file, or a hub id.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::request::Request;
use crate::error::{Error, Result};
use crate::hub::{DownloadProgress, HubId, HubOptions, WantedFiles, fetch};
use crate::samples::{SAMPLE_PREFIX, SampleTokenizer, TOKENIZERS};
use crate::tokenizer::{FileSet, LoadOptions, Loader, Release, Tokenizer, load};

/// Watches a download; `Break` ends it.
pub type DownloadWatch<'a> = &'a mut dyn FnMut(DownloadProgress) -> ControlFlow<()>;

/// The files that `spec` points to. A path that exists wins over a hub id; only a hub id touches the network.
///
/// # Errors
/// An unknown sample, a path that is not there, and whatever the hub refuses.
pub fn files_for(spec: &str, hub: &HubOptions, watch: DownloadWatch<'_>) -> Result<FileSet> {
    if let Some(name) = spec.strip_prefix(SAMPLE_PREFIX) {
        return SampleTokenizer::named(name).map(SampleTokenizer::files).ok_or_else(|| Error::UnknownName {
            kind: "sample tokenizer",
            name: name.to_string(),
            known: TOKENIZERS.iter().map(|t| t.name.to_string()).collect(),
        });
    }
    let path = Path::new(spec);
    if path.is_dir() {
        return FileSet::folder(path);
    }
    if path.is_file() {
        return FileSet::single(path);
    }
    if path.exists() {
        return Err(Error::Usage(format!(
            "{spec}: this is neither a file nor a folder; save it as a file first"
        )));
    }
    match HubId::parse(spec) {
        Ok(id) => FileSet::folder(&fetch(&id, hub, WantedFiles::tokenizer(), watch)?),
        Err(_) => {
            let samples: Vec<String> =
                TOKENIZERS.iter().map(|t| format!("{SAMPLE_PREFIX}{}", t.name)).collect();
            Err(Error::Usage(format!(
                "{spec}: no such file or folder, and no hub id (org/name or org/name@revision); built in are {}",
                samples.join(", ")
            )))
        }
    }
}

/// Loads the tokenizer of a request. Takes from 50 ms to as long as a download: call it off the drawing thread.
///
/// # Errors
/// As [`files_for`] and [`load`].
pub fn load_tokenizer(request: &Request, watch: DownloadWatch<'_>) -> Result<Arc<Tokenizer>> {
    let files = files_for(&request.tokenizer, &request.hub, watch)?;
    load(&request.tokenizer, &files, request.load).map(Arc::new)
}

/// The files of a request's tokenizer as the other class and the other releases read them: what they can be held
/// against. Nothing is downloaded, and what does not load is left out.
pub fn load_other_ways(request: &Request, own: &Tokenizer) -> Vec<Tokenizer> {
    let hub = request.hub.clone().offline(true);
    let Ok(files) = files_for(&request.tokenizer, &hub, &mut |_| ControlFlow::Continue(())) else {
        return Vec::new();
    };
    let (loader, release) = (own.facts.loader, own.facts.release);
    let other = if loader == Loader::Slow { Loader::Fast } else { Loader::Slow };
    let releases = [Release::V4_31, Release::V4_37, Release::V5].into_iter().filter(|r| *r != release);
    let mut ways = vec![(other, release)];
    ways.extend(releases.map(|release| (loader, release)));
    let load_as = |(loader, release): &(Loader, Release)| {
        let way = LoadOptions { loader: Some(*loader), release: *release, ..request.load };
        load(&request.tokenizer, &files, way).ok()
    };
    let loaded = ways.par_iter().filter_map(load_as);
    let is_other = |t: &Tokenizer| (t.facts.loader, t.facts.release) != (loader, release);
    loaded.filter(is_other).collect()
}
