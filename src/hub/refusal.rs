//! What a status and the hub's own headers (`X-Error-Code`, `X-Error-Message`) mean.
//!
//! The codes and their order are those that `huggingface_hub` 0.36.2 knows (`hf_raise_for_status`).

use super::error::HubError;
use super::http::{Client, HttpAnswer};
use super::id::HubId;

/// What was asked when the refusal came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// The list of files.
    Listing,
    /// Size and hash of a file.
    Metadata(&'a str),
    /// The content of a file that the hub has just described.
    Content(&'a str),
}

impl Asked<'_> {
    /// How a message names it.
    pub(super) fn what(&self, id: &HubId) -> String {
        match self {
            Self::Listing => format!("the file list of {id}"),
            Self::Metadata(file) | Self::Content(file) => format!("{file} of {id}"),
        }
    }
}

/// The error for an answer whose status is not the one hoped for.
pub(super) fn refusal(client: &Client, id: &HubId, asked: Asked<'_>, answer: &HttpAnswer) -> HubError {
    let repo = id.repo().to_string();
    let endpoint = client.endpoint().to_string();
    let page = || format!("{endpoint}/{}", id.repo());
    let code = answer.header("X-Error-Code").unwrap_or_default();
    let message = answer.header("X-Error-Message").unwrap_or_default();
    let detail = match client.detail(message) {
        said if said.is_empty() => said,
        said => format!(" ({said:?})"),
    };
    let missing = |repo| match client.has_token() {
        true => HubError::Missing { repo },
        false => HubError::MissingOrPrivate { repo },
    };
    match (answer.status, code, asked) {
        (_, "RevisionNotFound", _) => HubError::WrongRevision { repo, revision: id.revision().to_string() },
        (_, "EntryNotFound", Asked::Metadata(file) | Asked::Content(file)) => {
            HubError::MissingFile { repo, file: file.to_string(), known: Vec::new() }
        }
        (_, "GatedRepo", _) if client.has_token() && answer.status != 401 => {
            HubError::NotGranted { repo, page: page() }
        }
        (_, "GatedRepo", _) if client.has_token() => HubError::TokenRejected { endpoint },
        (_, "GatedRepo", _) => HubError::Gated { repo, page: page() },
        _ if message.starts_with("Access to this resource is disabled") => HubError::Disabled { repo },
        (_, "RepoNotFound", _) => missing(repo),
        (status @ 400..=499, _, Asked::Content(file)) if status != 429 => {
            HubError::FileRefused { file: file.to_string(), status }
        }
        (401, ..) if client.has_token() => HubError::TokenRejected { endpoint },
        (401, ..) => missing(repo),
        (403, ..) => HubError::Forbidden { repo, detail },
        (404, _, Asked::Listing) => missing(repo),
        (404, _, Asked::Metadata(file)) => {
            HubError::MissingFile { repo, file: file.to_string(), known: Vec::new() }
        }
        (429, ..) => HubError::TooManyRequests { endpoint },
        (status @ 500..=599, ..) => HubError::Unavailable { endpoint, status },
        (status, ..) => HubError::Unexpected { endpoint, what: asked.what(id), status, detail },
    }
}
