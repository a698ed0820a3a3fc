//! What the hub tells before anything is loaded: the list of files, and size and hash of each wanted one.

use std::time::Duration;

use super::error::HubError;
use super::http::{Ask, Broken, Client, HttpAnswer};
use super::id::HubId;
use super::listing::{HubListing, MAX_WANTED_FILES, WantedFiles};
use super::progress::{Reporter, Stage};
use super::refusal::{Asked, refusal};

/// A server that stumbles is asked this often in all.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; it doubles before each further one.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// One file as the hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileMetadata {
    /// Path in the repository.
    pub(super) file: String,
    /// Name of the content, safe as a file name: SHA-256 or git's SHA-1 on the hub itself.
    pub(super) etag: String,
    /// Bytes, where the server says.
    pub(super) size: Option<u64>,
}

/// What has to be in the cache for a fetch to be done.
#[derive(Debug)]
pub(super) struct FetchPlan {
    pub(super) commit: String,
    pub(super) files: Vec<FileMetadata>,
}

/// Asks the hub which wanted files the revision has, and for each of them its size and hash.
///
/// # Errors
/// Outages and refusals; [`HubError::NothingWanted`] and [`HubError::MissingFile`] when the list lacks them.
pub(super) fn plan(
    client: &Client,
    id: &HubId,
    wanted: WantedFiles<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<FetchPlan, HubError> {
    reporter.stage(Stage::Listing, "")?;
    let HubListing { commit, files: known } = listing(client, id, reporter)?;
    if let Some(file) = wanted.missing_from(&known) {
        return Err(HubError::MissingFile { repo: id.repo().to_string(), file: file.to_string(), known });
    }
    let names: Vec<&String> = known.iter().filter(|file| wanted.takes(file)).collect();
    if names.is_empty() {
        return Err(HubError::NothingWanted { repo: id.repo().to_string(), known });
    }
    if names.len() > MAX_WANTED_FILES {
        let broken = Broken::Midway(format!("{} files to load", names.len()));
        return Err(client.error(broken, &Asked::Listing.what(id)));
    }
    let mut files = Vec::with_capacity(names.len());
    for (done, name) in names.iter().enumerate() {
        reporter.files(done, names.len());
        reporter.stage(Stage::Checking, name)?;
        files.push(metadata(client, id, &commit, name, reporter)?);
    }
    Ok(FetchPlan { commit, files })
}

fn listing(client: &Client, id: &HubId, reporter: &mut Reporter<'_>) -> Result<HubListing, HubError> {
    let asked = Asked::Listing;
    let failed = |broken| client.error(broken, &asked.what(id));
    retrying(reporter, || {
        let answer = client.ask(Ask::Get { from: 0 }, &id.listing_path()).map_err(failed)?;
        if answer.status != 200 {
            return Err(refusal(client, id, asked, &answer));
        }
        let text = client.text(answer).map_err(failed)?;
        HubListing::parse(&text).map_err(|detail| failed(Broken::Midway(client.detail(&detail))))
    })
}

/// The file is asked for at the revision as the user wrote it: a mirror that lists any revision still refuses a
/// wrong one here.
fn metadata(
    client: &Client,
    id: &HubId,
    commit: &str,
    file: &str,
    reporter: &mut Reporter<'_>,
) -> Result<FileMetadata, HubError> {
    let asked = Asked::Metadata(file);
    let failed = |broken| client.error(broken, &asked.what(id));
    let answer = retrying(reporter, || {
        let answer = client.ask(Ask::Head, &id.file_path(id.revision(), file)).map_err(failed)?;
        // A redirect that comes through to here is an answer: see `Ask::Head`.
        if (200..400).contains(&answer.status) {
            Ok(answer)
        } else {
            Err(refusal(client, id, asked, &answer))
        }
    })?;
    if answer.header("X-Repo-Commit").is_some_and(|now| now != commit) {
        return Err(HubError::Changed { repo: id.repo().to_string() });
    }
    let etag = answer.header("X-Linked-ETag").or(answer.header("ETag")).and_then(normalised_etag);
    let etag = etag.ok_or_else(|| failed(Broken::Midway("no ETag to check the file by".to_string())))?;
    Ok(FileMetadata { file: file.to_string(), etag, size: size(&answer) })
}

/// Bytes of the file that headers describe.
fn size(answer: &HttpAnswer) -> Option<u64> {
    // The length of a redirect's own body, or of a compressed one, says nothing about the file.
    let own =
        (answer.status == 200 && answer.header("Content-Encoding").is_none()).then_some("Content-Length");
    let header = answer.header("X-Linked-Size").or_else(|| own.and_then(|name| answer.header(name)));
    header.and_then(|text| text.trim().parse().ok())
}

/// An ETag without its quotes and weak mark, as Python names blobs; `None` if it is no file name.
fn normalised_etag(etag: &str) -> Option<String> {
    let etag = etag.trim().trim_start_matches("W/").trim_matches('"');
    let plain = etag.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (plain && !etag.is_empty() && !etag.starts_with('.') && etag.len() <= 200).then(|| etag.to_string())
}

/// Asks again, after a pause, while the failure is of a kind that may pass.
fn retrying<T>(
    reporter: &mut Reporter<'_>,
    mut attempt: impl FnMut() -> Result<T, HubError>,
) -> Result<T, HubError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(HubError::Unavailable { .. } | HubError::BadAnswer { .. }) => reporter.wait(pause)?,
            done => return done,
        }
        pause *= 2;
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_become_file_names() {
        for (etag, name) in [("\"abc\"", "abc"), ("W/\"abc-1\"", "abc-1"), ("abc", "abc")] {
            assert_eq!(normalised_etag(etag).as_deref(), Some(name));
        }
        for unsafe_name in ["", "\"\"", "../x", "a/b", "..", "a b", "\"a\\b\""] {
            assert_eq!(normalised_etag(unsafe_name), None, "{unsafe_name}");
        }
    }
}
