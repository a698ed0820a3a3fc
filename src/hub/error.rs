//! What can go wrong between a hub id and a folder of files. Each message ends in the next step.

use std::path::PathBuf;

/// Why a fetch failed. Texts from servers and names from users are raw here: clean them before they are shown.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The text is no repository id.
    #[error("{given:?} is no hub id: {reason}; write org/name or org/name@revision")]
    BadId { given: String, reason: &'static str },
    /// HF_ENDPOINT or the flag is no address.
    #[error("the hub address {endpoint:?} cannot be used: {reason}; write it as https://host")]
    BadEndpoint { endpoint: String, reason: &'static str },
    /// The token cannot be put into a header. It is not shown.
    #[error(
        "the hub token holds characters that no token has; copy it again from the hub's settings page (it is \
         looked for in --hub-token, HF_TOKEN and the token file, in this order)"
    )]
    UnusableToken,
    /// No place for the cache is known.
    #[error("there is no home folder to keep the hub cache in; set HF_HOME or pass --cache-dir")]
    NoCacheDir,
    /// The repository wants its terms accepted, and no token was sent.
    #[error(
        "{repo} is gated: open {page}, log in and accept its terms, then set HF_TOKEN or pass --hub-token with a \
         token of that account"
    )]
    Gated { repo: String, page: String },
    /// The repository wants its terms accepted, and the account of the token has no access (yet).
    #[error(
        "{repo} is gated, and the account of this token has no access to it; ask for it at {page}, or use the \
         token of an account that has it (a fine-grained token also needs the right to read gated repositories)"
    )]
    NotGranted { repo: String, page: String },
    /// Without a token the hub does not tell a private repository from a missing one.
    #[error(
        "{repo} does not exist or is private: check the spelling; if it is private, set HF_TOKEN or pass \
         --hub-token"
    )]
    MissingOrPrivate { repo: String },
    /// Not there, or not for the account of the token.
    #[error(
        "the hub has no repository {repo} that the account of this token can see; check the spelling and whose \
         token it is"
    )]
    Missing { repo: String },
    /// The hub knows the account, and it may not read this.
    #[error(
        "{repo} is private or restricted, and this token may not read it{detail}; use a token with read access \
         to it"
    )]
    Forbidden { repo: String, detail: String },
    /// Taken offline by the hub.
    #[error("{repo} was disabled by the hub; choose another repository")]
    Disabled { repo: String },
    /// The hub does not know the token.
    #[error(
        "{endpoint} does not accept the hub token: it is wrong, expired or revoked; make a new one in the hub's \
         settings, or unset HF_TOKEN (public repositories need none)"
    )]
    TokenRejected { endpoint: String },
    /// No such branch, tag or commit.
    #[error(
        "{repo} has no revision {revision:?}; leave @{revision} out for main, or see its page for the others"
    )]
    WrongRevision { repo: String, revision: String },
    /// A file that was asked for by name is not in the repository.
    #[error(
        "{repo} has no file {file:?} at this revision{}; check its name on the repository's page",
        some_of(known)
    )]
    MissingFile { repo: String, file: String, known: Vec<String> },
    /// None of the wanted files is in the repository.
    #[error(
        "{repo} has none of the files looked for{}; choose a repository that holds a tokenizer",
        some_of(known)
    )]
    NothingWanted { repo: String, known: Vec<String> },
    /// The server described a file and would not send it.
    #[error(
        "the server described {file} but does not send it (status {status}); nothing was kept. Try again later, \
         or with a token that may download it"
    )]
    FileRefused { file: String, status: u16 },
    /// 5xx from the server.
    #[error(
        "{endpoint} is out of order (status {status}); try again in a few minutes, or work from a local folder"
    )]
    Unavailable { endpoint: String, status: u16 },
    /// 429 from the server.
    #[error("{endpoint} asks for fewer requests; wait a few minutes, or set HF_TOKEN for a higher limit")]
    TooManyRequests { endpoint: String },
    /// An answer that this client has no name for.
    #[error("{endpoint} answered {what} with status {status}{detail}; is it a hub? See HF_ENDPOINT")]
    Unexpected { endpoint: String, what: String, status: u16, detail: String },
    /// The answer came and makes no sense.
    #[error("{endpoint} answered {what} with something a hub would not send: {detail}; see HF_ENDPOINT")]
    BadAnswer { endpoint: String, what: String, detail: String },
    /// No connection.
    #[error(
        "cannot reach {endpoint} ({detail}); check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT, or use a \
         local folder or a model that is in the cache"
    )]
    NoNetwork { endpoint: String, detail: String },
    /// Connected, and then silence, or a drip.
    #[error(
        "{endpoint} sent nothing or next to nothing of {what} in {seconds:.1} s; try again, or allow more with \
         HF_HUB_ETAG_TIMEOUT (answers) and HF_HUB_DOWNLOAD_TIMEOUT (files)"
    )]
    Timeout { endpoint: String, what: String, seconds: f64 },
    /// The body of a file ended early, more than once.
    #[error("{file} broke off after {received} bytes{}{detail}; run again to go on from there", of(*expected))]
    Cut { file: String, received: u64, expected: Option<u64>, detail: String },
    /// Size or hash are not what the hub announced; the bytes were deleted.
    #[error(
        "{file} arrived damaged and was deleted: {detail}; run again, and check proxies that change downloads"
    )]
    Damaged { file: String, detail: String },
    /// The revision got a new commit between two requests.
    #[error("{repo} was changed while it was read; run again")]
    Changed { repo: String },
    /// Offline, and the cache does not have it.
    #[error(
        "{id} is not in the cache {} and offline mode is on; unset HF_HUB_OFFLINE (or leave --offline out) to \
         download it once",
        cache.display()
    )]
    NotCached { id: String, cache: PathBuf },
    /// Another program is at the same file.
    #[error(
        "another program has been downloading {file} into this cache for {seconds} s; wait for it, or end it"
    )]
    Busy { file: String, seconds: u64 },
    /// The progress callback said stop.
    #[error("the download was cancelled; run again to go on from there")]
    Cancelled,
    /// The cache could not be read or written.
    #[error("cannot use the hub cache at {}; check its rights and the free space, or set --cache-dir",
        path.display())]
    Cache {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl HubError {
    /// True when there was no answer, or not one of the hub (a captive portal's login page gives a
    /// [`BadAnswer`](Self::BadAnswer)): a copy in the cache may stand in. A refusal by the hub is no outage.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::NoNetwork { .. }
                | Self::Timeout { .. }
                | Self::Unavailable { .. }
                | Self::TooManyRequests { .. }
                | Self::BadAnswer { .. }
        )
    }

    pub(super) fn cache(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Cache { path: path.to_path_buf(), source }
    }
}

/// The first names of a list that may be thousands long, in brackets.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 if names.is_empty() => String::new(),
        0 => format!(" (it has {})", shown.join(", ")),
        more => format!(" (it has {} and {more} more)", shown.join(", ")),
    }
}

fn of(expected: Option<u64>) -> String {
    expected.map(|bytes| format!(" of {bytes}")).unwrap_or_default()
}

impl From<HubError> for crate::Error {
    fn from(error: HubError) -> Self {
        Self::Part(Box::new(error))
    }
}
