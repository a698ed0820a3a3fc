//! One repository in the cache, laid out as Python's `huggingface_hub` does it, so that both use one copy.
//!
//! ```text
//! CACHE/models--org--name/
//!   refs/main                              the commit that the branch stood for when it was last fetched
//!   blobs/ETAG                             contents, by hash; whole and checked
//!   blobs/ETAG.maskscope.incomplete        a download that broke off; other programs do not use this name
//!   snapshots/COMMIT/tokenizer.json        → ../../blobs/ETAG
//! CACHE/.locks/models--org--name/ETAG.lock locked by whoever downloads ETAG, Python included
//! ```
//! Every file appears under its final name by one rename.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::commit::is_commit;
use super::error::HubError;
use super::id::HubId;
use super::metadata::FileMetadata;
use super::progress::{Reporter, Stage};
use crate::atomic_write;

/// How long another program may hold the lock of a file before we give up.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(100);

/// The folders of one repository. Nothing is created before something is written.
#[derive(Debug)]
pub(super) struct RepoCache {
    layout: hf_hub::CacheRepo,
    folder: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache_dir: &Path, id: &HubId) -> Self {
        let name = id.repo().to_string();
        let repo = if id.is_dataset() { hf_hub::Repo::dataset(name) } else { hf_hub::Repo::model(name) };
        let name = repo.folder_name();
        Self {
            layout: hf_hub::Cache::new(cache_dir.to_path_buf()).repo(repo),
            folder: cache_dir.join(&name),
            locks: cache_dir.join(".locks").join(name),
        }
    }

    /// `models--org--name` in the cache.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The whole content named `etag`.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.layout.blob_path(etag)
    }

    /// The content named `etag` as far as it came.
    pub(super) fn partial(&self, etag: &str) -> PathBuf {
        self.layout.blob_path(&format!("{etag}.maskscope.incomplete"))
    }

    /// True when the content is there with the size that the hub tells. One of another size is deleted: programs
    /// that do not check what they download leave such files.
    pub(super) fn has_blob(&self, meta: &FileMetadata) -> Result<bool, HubError> {
        let blob = self.blob(&meta.etag);
        match fs::metadata(&blob) {
            Ok(found) if meta.size.is_none_or(|size| size == found.len()) => Ok(true),
            Ok(_) => fs::remove_file(&blob).map(|()| false).map_err(|e| HubError::cache(&blob, e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(HubError::cache(&blob, e)),
        }
    }

    /// The folder of the commit that the id's revision stood for when it was last fetched, by anyone.
    pub(super) fn snapshot_of(&self, revision: &str) -> Option<PathBuf> {
        let by_name = || fs::read_to_string(self.folder.join("refs").join(revision)).ok();
        let commit = if is_commit(revision) { Some(revision.to_string()) } else { by_name() }?;
        let commit = Some(commit.trim()).filter(|commit| is_commit(commit))?;
        Some(self.layout.pointer_path(commit)).filter(|folder| folder.is_dir())
    }

    /// Keeps other programs from downloading the same content until the file is dropped. Where the file system
    /// knows no locks there is none: the check of the hash then catches what two writers do to one file.
    pub(super) fn lock(
        &self,
        meta: &FileMetadata,
        reporter: &mut Reporter<'_>,
    ) -> Result<Option<File>, HubError> {
        fs::create_dir_all(&self.locks).map_err(|e| HubError::cache(&self.locks, e))?;
        let path = self.locks.join(format!("{}.lock", meta.etag));
        let file = File::create(&path).map_err(|e| HubError::cache(&path, e))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if begin.elapsed() > LOCK_PATIENCE => {
                    let seconds = begin.elapsed().as_secs();
                    return Err(HubError::Busy { file: meta.file.clone(), seconds });
                }
                Err(TryLockError::WouldBlock) => {
                    reporter.stage(Stage::Waiting, &meta.file)?;
                    reporter.wait(LOCK_POLL)?;
                }
            }
        }
    }

    pub(super) fn create_blobs(&self) -> Result<(), HubError> {
        let blobs = self.blobs();
        fs::create_dir_all(&blobs).map_err(|e| HubError::cache(&blobs, e))
    }

    /// Takes back [`create_blobs`](Self::create_blobs) when nothing came of it: Python warns of a repository
    /// without snapshots.
    pub(super) fn remove_empty_folders(&self) {
        // A folder that is not empty stays, and that is no failure.
        let _ = fs::remove_dir(self.blobs()).and_then(|()| fs::remove_dir(&self.folder));
    }

    /// Gives the contents their names in the snapshot of `commit`, and notes that `revision` stands for it.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub(super) fn publish(
        &self,
        revision: &str,
        commit: &str,
        files: &[FileMetadata],
    ) -> Result<PathBuf, HubError> {
        let snapshot = self.layout.pointer_path(commit);
        for meta in files {
            let pointer = snapshot.join(&meta.file);
            self.point(&pointer, meta).map_err(|e| HubError::cache(&pointer, e))?;
        }
        if revision != commit {
            let path = self.folder.join("refs").join(revision);
            self.write_ref(&path, commit).map_err(|e| HubError::cache(&path, e))?;
        }
        Ok(snapshot)
    }

    fn point(&self, pointer: &Path, meta: &FileMetadata) -> io::Result<()> {
        let blob = self.blob(&meta.etag);
        let points_there =
            fs::canonicalize(pointer).ok().is_some_and(|p| fs::canonicalize(&blob).ok() == Some(p));
        if points_there {
            return Ok(());
        }
        if let Some(folder) = pointer.parent() {
            fs::create_dir_all(folder)?;
        }
        // From snapshots/COMMIT/FILE back to the repository's folder: one step up for each part after the first.
        let up = "../".repeat(meta.file.split('/').count() + 1);
        let target = format!("{up}blobs/{}", meta.etag);
        atomic_write::replace(pointer, &self.blobs(), |temporary| {
            symlink(Path::new(&target), temporary).or_else(|_| fs::copy(&blob, temporary).map(drop))
        })
    }

    fn write_ref(&self, path: &Path, commit: &str) -> io::Result<()> {
        if fs::read_to_string(path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Not beside the ref: whatever lies in `refs` is taken for a revision.
        atomic_write::replace(path, &self.blobs(), |temporary| fs::write(temporary, commit))
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(file: &str, size: Option<u64>) -> FileMetadata {
        FileMetadata { file: file.to_string(), etag: "e1".to_string(), size }
    }

    #[test]
    fn the_layout_is_pythons() {
        let dir = tempfile::tempdir().unwrap();
        let id = HubId::parse("org/name@refs/pr/1").unwrap();
        let cache = RepoCache::new(dir.path(), &id);
        let commit = "a".repeat(40);
        cache.create_blobs().unwrap();
        fs::write(cache.blob("e1"), "x").unwrap();
        for _ in 0..2 {
            let files = [meta("config.json", None), meta("sub/dir/big.bin", None)];
            cache.publish(id.revision(), &commit, &files).unwrap();
        }
        let repo = dir.path().join("models--org--name");
        assert_eq!(fs::read_to_string(repo.join("refs/refs/pr/1")).unwrap(), commit);
        let snapshot = repo.join("snapshots").join(&commit);
        assert_eq!(cache.snapshot_of("refs/pr/1"), Some(snapshot.clone()));
        assert_eq!(cache.snapshot_of(&commit), Some(snapshot.clone()));
        assert_eq!(cache.snapshot_of("main"), None);
        for (file, target) in [("config.json", "../../blobs/e1"), ("sub/dir/big.bin", "../../../../blobs/e1")]
        {
            assert_eq!(fs::read_to_string(snapshot.join(file)).unwrap(), "x");
            if cfg!(unix) {
                assert_eq!(fs::read_link(snapshot.join(file)).unwrap(), Path::new(target));
            }
        }
        assert_eq!(fs::read_dir(repo.join("blobs")).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_ref_cannot_lead_out_of_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(dir.path(), &HubId::parse("a/b").unwrap());
        let refs = dir.path().join("models--a--b/refs");
        fs::create_dir_all(&refs).unwrap();
        for evil in ["../..", "/", "", "main"] {
            fs::write(refs.join("main"), evil).unwrap();
            assert_eq!(cache.snapshot_of("main"), None, "{evil:?}");
        }
    }

    #[test]
    fn a_blob_of_the_wrong_size_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(dir.path(), &HubId::parse("a/b").unwrap());
        cache.create_blobs().unwrap();
        fs::write(cache.blob("e1"), "half").unwrap();
        assert!(cache.has_blob(&meta("f", None)).unwrap());
        assert!(cache.has_blob(&meta("f", Some(4))).unwrap());
        assert!(!cache.has_blob(&meta("f", Some(8))).unwrap());
        assert!(!cache.blob("e1").exists());
    }
}
