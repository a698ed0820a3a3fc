//! The content of one file into the cache: resumed where it broke off, checked, renamed last.
//!
//! ```text
//! lock → is it there by now? → GET from byte n → … EOF ─ short? → pause, GET from byte m
//!                                                     └ whole  → size and hash → rename to blobs/ETAG
//! ```
//! A download that keeps breaking leaves its bytes under a name of its own for the next run; one that came in
//! damaged leaves nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Instant;

use super::cache::RepoCache;
use super::checksum::Checksum;
use super::error::HubError;
use super::http::{Ask, Broken, Client, HttpAnswer};
use super::id::HubId;
use super::metadata::{FIRST_PAUSE, FileMetadata};
use super::progress::{Reporter, Stage};
use super::refusal::{Asked, refusal};
use crate::atomic_write;

const READ_BYTES: usize = 64 * 1024;
/// Attempts in a row that brought (almost) nothing before the download is given up.
const FRUITLESS_ATTEMPTS: u32 = 3;
/// An attempt that brought this much was not fruitless.
const FRUITFUL_BYTES: u64 = 16 * 1024;
/// A server that sends less than this in the time it may be silent counts as silent.
const LEAST_BYTES_PER_SILENCE: u64 = 1024;
/// Most bytes of a file whose size the server does not tell.
const UNSIZED_LIMIT: u64 = 1 << 30;

/// Where files of one fetch come from and go to.
pub(super) struct Route<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a RepoCache,
    pub(super) id: &'a HubId,
    pub(super) commit: &'a str,
}

/// How an attempt ended.
enum Ended {
    /// The server says that was all; the size of the whole file where it told one.
    Complete(Option<u64>),
    /// More was to come.
    Early(Broken),
    /// More came than there should be.
    TooLong(u64),
}

impl Route<'_> {
    /// Puts the content of `meta` among the blobs unless it is there.
    ///
    /// # Errors
    /// Refusals, [`HubError::Cut`], [`HubError::Timeout`], [`HubError::Damaged`], [`HubError::Cancelled`] and a cache
    /// that cannot be written.
    pub(super) fn download(&self, meta: &FileMetadata, reporter: &mut Reporter<'_>) -> Result<(), HubError> {
        self.cache.create_blobs()?;
        let _lock = self.cache.lock(meta, reporter)?;
        if self.cache.has_blob(meta)? {
            return Ok(());
        }
        reporter.stage(Stage::Downloading, &meta.file)?;
        let partial = self.cache.partial(&meta.etag);
        let begun = reporter.bytes_so_far();
        let resumed = length(&partial)? > 0;
        let mut outcome = self.load_and_check(meta, &partial, reporter);
        if resumed && matches!(outcome, Err(HubError::Damaged { .. })) {
            // The bytes of the earlier run may have been the bad ones.
            reporter.bytes(begun)?;
            outcome = self.load_and_check(meta, &partial, reporter);
        }
        if length(&partial)? == 0 {
            remove(&partial)?;
        }
        outcome?;
        let blob = self.cache.blob(&meta.etag);
        atomic_write::rename(&partial, &blob).map_err(|e| HubError::cache(&blob, e))
    }

    /// Loads to the end, over as many attempts as it takes, and compares size and hash.
    fn load_and_check(
        &self,
        meta: &FileMetadata,
        partial: &Path,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), HubError> {
        let checksum = Checksum::of_etag(&meta.etag);
        let outcome = match self.load(meta, partial, reporter)? {
            Ended::Early(broken) => return Err(self.given_up(meta, broken, length(partial)?)),
            Ended::TooLong(limit) => Err(format!("more than {limit} bytes came")),
            Ended::Complete(None) if checksum.is_none() => {
                Err("the server tells neither a size nor a hash to check it by".to_string())
            }
            Ended::Complete(_) => Ok(()),
        };
        let outcome = match (outcome, checksum) {
            (Ok(()), Some(checksum)) => {
                reporter.stage(Stage::Verifying, &meta.file)?;
                let found = checksum.mismatch(partial, reporter)?;
                found.map_or(Ok(()), |found| Err(format!("its hash is {found} and should be {}", meta.etag)))
            }
            (outcome, _) => outcome,
        };
        outcome.map_err(|detail| match remove(partial) {
            Ok(()) => HubError::Damaged { file: meta.file.clone(), detail },
            Err(error) => error,
        })
    }

    fn load(
        &self,
        meta: &FileMetadata,
        partial: &Path,
        reporter: &mut Reporter<'_>,
    ) -> Result<Ended, HubError> {
        let begun = reporter.bytes_so_far();
        let (mut fruitless, mut pause) = (0, FIRST_PAUSE);
        loop {
            let mut have = length(partial)?;
            if meta.size.is_some_and(|size| have > size) {
                remove(partial)?;
                have = 0;
            }
            if have > 0 && meta.size == Some(have) {
                return Ok(Ended::Complete(meta.size));
            }
            reporter.bytes(begun + have)?;
            let broken = match self.attempt(meta, partial, have, reporter)? {
                Ended::Early(broken) => broken,
                ended => return Ok(ended),
            };
            let gained = length(partial)?.saturating_sub(have);
            if gained >= FRUITFUL_BYTES {
                (fruitless, pause) = (0, FIRST_PAUSE);
            } else {
                fruitless += 1;
                pause *= 2;
            }
            // Silence has already cost its deadline; asking again would cost another.
            let silent = matches!(broken, Broken::Silent(_)) && fruitless > 0;
            if silent || fruitless >= FRUITLESS_ATTEMPTS {
                return Ok(Ended::Early(broken));
            }
            reporter.wait(pause)?;
        }
    }

    /// One request from byte `have` on. The file grows by what comes, or starts again if the server wants that.
    fn attempt(
        &self,
        meta: &FileMetadata,
        partial: &Path,
        have: u64,
        reporter: &mut Reporter<'_>,
    ) -> Result<Ended, HubError> {
        let answer =
            match self.client.ask(Ask::Get { from: have }, &self.id.file_path(self.commit, &meta.file)) {
                Ok(answer) => answer,
                Err(broken) => return Ok(Ended::Early(broken)),
            };
        let (start, told) = match answer.status {
            200 => (0, number(answer.header("Content-Length"))),
            206 => match content_range(&answer) {
                Some((start, total)) if start == have => (have, total),
                _ => return self.start_again(partial, "a range that was not asked for"),
            },
            416 => return self.start_again(partial, "no such range"),
            status => {
                let refused = refusal(self.client, self.id, Asked::Content(&meta.file), &answer);
                // An overloaded storage server often has time a moment later.
                return if status >= 500 { Ok(Ended::Early(Broken::Other(refused))) } else { Err(refused) };
            }
        };
        let total = meta.size.or(told.filter(|_| answer.header("Content-Encoding").is_none()));
        let mut options = OpenOptions::new();
        let options = if start == 0 { options.write(true).truncate(true) } else { options.append(true) };
        let mut file = options.create(true).open(partial).map_err(|e| HubError::cache(partial, e))?;
        let begun = reporter.bytes_so_far().saturating_sub(have) + start;
        let limit = total.unwrap_or(UNSIZED_LIMIT).saturating_sub(start);
        let copied = self.copy(answer, &mut file, limit, &mut |copied| reporter.bytes(begun + copied));
        let (copied, broken) = copied.map_err(|error| match error {
            Failed::Writing(e) => HubError::cache(partial, e),
            Failed::Stopped(error) => error,
        })?;
        // What is renamed into place must be on the disk, or a power cut leaves an empty file with a good name.
        file.sync_all().map_err(|e| HubError::cache(partial, e))?;
        Ok(match broken {
            Some(broken) => Ended::Early(broken),
            None if copied > limit => Ended::TooLong(start + limit),
            None if total.is_some_and(|total| start + copied < total) => {
                Ended::Early(Broken::Midway("the connection was closed".to_string()))
            }
            None => Ended::Complete(total),
        })
    }

    /// The body into the file: bytes written, and what broke it off. Stops one piece after `limit`.
    fn copy(
        &self,
        answer: HttpAnswer,
        file: &mut File,
        limit: u64,
        report: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<(u64, Option<Broken>), Failed> {
        let mut reader = answer.body.into_reader();
        let mut buffer = vec![0; READ_BYTES];
        let mut copied = 0;
        let (mut window, mut window_start) = (Instant::now(), 0);
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Ok((copied, Some(self.client.broken_body(e)))),
            };
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok((copied, None));
            };
            copied += read as u64;
            if copied > limit {
                return Ok((copied, None));
            }
            file.write_all(bytes).map_err(Failed::Writing)?;
            report(copied).map_err(Failed::Stopped)?;
            if window.elapsed() > self.client.silence_timeout() {
                if copied - window_start < LEAST_BYTES_PER_SILENCE {
                    return Ok((copied, Some(Broken::Silent(window.elapsed()))));
                }
                (window, window_start) = (Instant::now(), copied);
            }
        }
    }

    fn start_again(&self, partial: &Path, why: &str) -> Result<Ended, HubError> {
        remove(partial)?;
        Ok(Ended::Early(Broken::Midway(format!("the server answered with {why}"))))
    }

    fn given_up(&self, meta: &FileMetadata, broken: Broken, received: u64) -> HubError {
        match broken {
            Broken::Midway(detail) => HubError::Cut {
                file: meta.file.clone(),
                received,
                expected: meta.size,
                detail: format!(" ({})", self.client.detail(&detail)),
            },
            other => self.client.error(other, &Asked::Content(&meta.file).what(self.id)),
        }
    }
}

/// Why copying must end for good.
enum Failed {
    Writing(io::Error),
    Stopped(HubError),
}

fn number(text: Option<&str>) -> Option<u64> {
    text.and_then(|text| text.trim().parse().ok())
}

/// First byte and total of `Content-Range: bytes 5-9/10` (RFC 9110, section 14.4).
fn content_range(answer: &HttpAnswer) -> Option<(u64, Option<u64>)> {
    let (range, total) = answer.header("Content-Range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((number(range.split('-').next())?, number(Some(total))))
}

/// Bytes of a file; 0 when there is none.
fn length(path: &Path) -> Result<u64, HubError> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(HubError::cache(path, e)),
    }
}

fn remove(path: &Path) -> Result<(), HubError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(HubError::cache(path, e)),
        _ => Ok(()),
    }
}
