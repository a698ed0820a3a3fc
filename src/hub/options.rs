//! How to reach the hub and where the cache is: the variables that Python's `huggingface_hub` reads, then flags.
//!
//! Names and order of the variables: `huggingface_hub` 0.36.2, `constants.py` and `utils/_auth.py`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::HubError;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Python's default for both of its time limits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// A time limit from the environment is cut to this, so that adding it to a clock cannot overflow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// A hub token. It has no way to be displayed, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The token in `text`, without blanks around it and line ends; `None` when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.replace(['\r', '\n'], "");
        Some(text.trim()).filter(|t| !t.is_empty()).map(|t| Self(t.to_string()))
    }

    /// The value of the Authorization header.
    pub(super) fn bearer(&self) -> Result<String, HubError> {
        if self.0.chars().all(|c| c.is_ascii_graphic()) {
            Ok(format!("Bearer {}", self.0))
        } else {
            Err(HubError::UnusableToken)
        }
    }

    /// `text` with the token blacked out: servers and proxies echo what they were sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([hidden])")
    }
}

/// Everything a fetch needs to know besides the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubOptions {
    pub(super) endpoint: String,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) token: Option<AccessToken>,
    pub(super) offline: bool,
    pub(super) answer_timeout: Duration,
    pub(super) silence_timeout: Duration,
}

impl HubOptions {
    /// What the environment says, as Python reads it:
    ///
    /// | variable | gives |
    /// | --- | --- |
    /// | `HF_ENDPOINT` | the hub's address |
    /// | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, `XDG_CACHE_HOME/huggingface`, `~/.cache/huggingface` | the cache |
    /// | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH`, else `token` in HF_HOME | the token |
    /// | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | 1: send none of these |
    /// | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` | 1, ON, YES or TRUE: no network |
    /// | `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT` | seconds, default 10: see the setters |
    pub fn from_env() -> Self {
        Self::from_variables(&|name| std::env::var(name).ok(), std::env::home_dir().as_deref())
    }

    /// [`from_env`](Self::from_env) with the environment as a function and the home folder given.
    fn from_variables(get: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        // Python takes an empty path literally, which would put the cache into the working folder.
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(|value| expand_home(&value, home));
        let hf_home = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| home.map(|home| home.join(".cache").join("huggingface")));
        let cache_dir = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hf_home.as_ref().map(|home| home.join("hub")));
        let given =
            || set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).and_then(|t| AccessToken::new(&t));
        let token = match set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            Some(value) if is_true(&value) => None,
            _ => given().or_else(|| token_file(path("HF_TOKEN_PATH"), hf_home)),
        };
        let offline = set("HF_HUB_OFFLINE").or_else(|| set("TRANSFORMERS_OFFLINE"));
        let options = Self {
            endpoint: DEFAULT_ENDPOINT.to_string(),
            cache_dir,
            token,
            offline: offline.is_some_and(|value| is_true(&value)),
            answer_timeout: set("HF_HUB_ETAG_TIMEOUT").and_then(|s| seconds(&s)).unwrap_or(DEFAULT_TIMEOUT),
            silence_timeout: set("HF_HUB_DOWNLOAD_TIMEOUT")
                .and_then(|s| seconds(&s))
                .unwrap_or(DEFAULT_TIMEOUT),
        };
        match set("HF_ENDPOINT") {
            Some(endpoint) => options.endpoint(&endpoint),
            None => options,
        }
    }

    /// The hub's address, `https://host` or `http://host:port`, with a path if it has one.
    #[must_use]
    pub fn endpoint(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.trim().trim_end_matches('/').to_string(), ..self }
    }

    /// The folder that holds `models--org--name`.
    #[must_use]
    pub fn cache_dir(self, dir: impl Into<PathBuf>) -> Self {
        Self { cache_dir: Some(dir.into()), ..self }
    }

    /// The token; `None` sends none, whatever the environment holds.
    #[must_use]
    pub fn token(self, token: Option<AccessToken>) -> Self {
        Self { token, ..self }
    }

    /// Whether to stay away from the network.
    #[must_use]
    pub fn offline(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// How long a server may take to accept a connection, and again to begin an answer.
    #[must_use]
    pub fn answer_timeout(self, time: Duration) -> Self {
        Self { answer_timeout: time.min(LONGEST_TIMEOUT), ..self }
    }

    /// How long a server may be silent in the middle of an answer.
    #[must_use]
    pub fn silence_timeout(self, time: Duration) -> Self {
        Self { silence_timeout: time.min(LONGEST_TIMEOUT), ..self }
    }

    pub(super) fn require_cache_dir(&self) -> Result<&Path, HubError> {
        self.cache_dir.as_deref().ok_or(HubError::NoCacheDir)
    }
}

fn token_file(named: Option<PathBuf>, hf_home: Option<PathBuf>) -> Option<AccessToken> {
    match named {
        Some(path) => std::fs::read_to_string(path).ok(),
        // hf-hub's token file is the neighbour of the folder that it is given.
        None => hf_home.and_then(|home| hf_hub::Cache::new(home.join("hub")).token()),
    }
    .and_then(|text| AccessToken::new(&text))
}

fn expand_home(value: &str, home: Option<&Path>) -> PathBuf {
    match (value.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(value),
    }
}

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

fn seconds(value: &str) -> Option<Duration> {
    let seconds = value.trim().parse::<f64>().ok().filter(|s| *s > 0.0)?;
    Some(Duration::try_from_secs_f64(seconds).map_or(LONGEST_TIMEOUT, |time| time.min(LONGEST_TIMEOUT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> HubOptions {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        HubOptions::from_variables(&get, Some(Path::new("/home/me")))
    }

    #[test]
    fn where_the_cache_is() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/hub"),
            (&[("HF_HOME", "~/h")], "/home/me/h/hub"),
            (&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HF_HUB_CACHE", "/c"), ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HOME", "/h")], "/c"),
            (&[("HF_HUB_CACHE", "")], "/home/me/.cache/huggingface/hub"),
        ];
        for (variables, expected) in cases {
            assert_eq!(read(variables).cache_dir.as_deref(), Some(Path::new(expected)), "{variables:?}");
        }
        let nowhere = HubOptions::from_variables(&|_| None, None);
        assert!(matches!(nowhere.require_cache_dir(), Err(HubError::NoCacheDir)));
    }

    #[test]
    fn switches_numbers_and_the_address() {
        assert!(!read(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert!(read(&[("HF_HUB_OFFLINE", "yes")]).offline);
        assert!(read(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert!(!read(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert!(!read(&[("HF_HUB_OFFLINE", "1")]).offline(false).offline, "a flag wins");
        assert_eq!(read(&[]).endpoint, DEFAULT_ENDPOINT);
        assert_eq!(read(&[("HF_ENDPOINT", "http://mirror/hub//")]).endpoint, "http://mirror/hub");
        for (text, expected) in [("3", 3), ("x", 10), ("-1", 10), ("nan", 10), ("0", 10), ("inf", 86400)] {
            let options = read(&[("HF_HUB_ETAG_TIMEOUT", text)]);
            assert_eq!(options.answer_timeout, Duration::from_secs(expected), "{text}");
        }
    }

    #[test]
    fn where_the_token_comes_from() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_string_lossy().into_owned();
        std::fs::write(home.path().join("token"), "in_home\n").unwrap();
        std::fs::write(home.path().join("other"), " in_other ").unwrap();
        let (hf_home, other) = (path(""), path("other"));
        let all = [
            ("HF_TOKEN", " first \r\n"),
            ("HUGGING_FACE_HUB_TOKEN", "second"),
            ("HF_TOKEN_PATH", other.as_str()),
            ("HF_HOME", hf_home.as_str()),
            ("HF_HUB_CACHE", "/elsewhere"),
        ];
        for (skipped, expected) in ["first", "second", "in_other", "in_home"].into_iter().enumerate() {
            assert_eq!(
                read(&all[skipped..]).token,
                AccessToken::new(expected),
                "without the first {skipped}"
            );
        }
        assert_eq!(read(&[("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
    }

    #[test]
    fn the_token_is_never_shown() {
        let options = read(&[("HF_TOKEN", "hf_secret")]);
        assert!(!format!("{options:?}").contains("secret"));
        let token = AccessToken::new("hf_secret").unwrap();
        assert_eq!(token.scrub("no user for hf_secret"), "no user for [token]");
        for broken in ["hf_a b", "hf_ä", "hf_\u{7}"] {
            let error = AccessToken::new(broken).unwrap().bearer().unwrap_err();
            assert!(matches!(error, HubError::UnusableToken) && !error.to_string().contains("hf_\u{7}"));
        }
    }
}
