//! Requests to the hub: redirects by hand, the token only to the hub itself, a deadline on every wait.
//!
//! Redirects are followed here and not by `ureq`, because the hub's own answer holds the hash and size of a file
//! that a storage server then sends, and because only the hub may see the token.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::error::HubError;
use super::options::{AccessToken, HubOptions};

const MAX_REDIRECTS: usize = 5;
/// The list of the largest repository is a few hundred kilobytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// A text comes in at once; one that drips is given up after this many silences.
const TEXT_DEADLINE_SILENCES: u32 = 3;
/// Of a server's explanation, this much is repeated.
const MAX_DETAIL_CHARS: usize = 300;

/// What a request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Headers of the hub's own answer: a redirect to another server *is* the answer if it names an ETag.
    Head,
    /// The body from this byte on, wherever it lies.
    Get { from: u64 },
}

/// Why there is no answer, or no more of it.
#[derive(Debug)]
pub(super) enum Broken {
    /// No connection was made.
    NoNetwork(String),
    /// (Almost) nothing came for this long.
    Silent(Duration),
    /// The connection or the message ended in the middle.
    Midway(String),
    /// What has a message of its own.
    Other(HubError),
}

/// An answer whose body is not read yet.
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl HttpAnswer {
    /// A header as text; `None` when it is absent or not ASCII.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A connection pool to one hub.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    origin: String,
    token: Option<AccessToken>,
    authorization: Option<String>,
    answer_timeout: Duration,
    silence_timeout: Duration,
}

impl Client {
    /// # Errors
    /// The endpoint is no address, or the token fits no header.
    pub(super) fn new(options: &HubOptions) -> Result<Self, HubError> {
        let endpoint = options.endpoint.clone();
        let origin = origin_of(&endpoint).map_err(|reason| HubError::BadEndpoint {
            // Whoever put a password into the address does not want to read it in a message.
            endpoint: endpoint.rsplit('@').next().unwrap_or_default().to_string(),
            reason,
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("maskscope/", env!("CARGO_PKG_VERSION")))
            // Sizes and ranges are those of the file, not of a compressed form of it.
            .accept_encoding("identity")
            .timeout_resolve(Some(options.answer_timeout))
            .timeout_connect(Some(options.answer_timeout))
            .timeout_send_request(Some(options.answer_timeout))
            .timeout_recv_response(Some(options.answer_timeout))
            .timeout_per_read(Some(options.silence_timeout))
            .timeout_per_write(Some(options.silence_timeout));
        Ok(Self {
            agent: Agent::new_with_config(config.build()),
            endpoint,
            origin,
            token: options.token.clone(),
            authorization: options.token.as_ref().map(AccessToken::bearer).transpose()?,
            answer_timeout: options.answer_timeout,
            silence_timeout: options.silence_timeout,
        })
    }

    /// The hub's address, without a slash at its end.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn silence_timeout(&self) -> Duration {
        self.silence_timeout
    }

    /// Asks for `path` below the endpoint (already percent-encoded), and follows redirects.
    pub(super) fn ask(&self, ask: Ask, path: &str) -> Result<HttpAnswer, Broken> {
        let mut url = format!("{}/{path}", self.endpoint);
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.ask_once(ask, &url)?;
            let Some(location) = answer.header("Location").filter(|_| is_redirect(answer.status)) else {
                return Ok(answer);
            };
            let elsewhere = location.contains("://") || location.starts_with("//");
            let describes = answer.header("X-Linked-ETag").or(answer.header("ETag")).is_some();
            if ask == Ask::Head && elsewhere && describes {
                return Ok(answer);
            }
            url = redirected(&url, location).map_err(Broken::Midway)?;
        }
        Err(Broken::Midway(format!("more than {MAX_REDIRECTS} redirects")))
    }

    fn ask_once(&self, ask: Ask, url: &str) -> Result<HttpAnswer, Broken> {
        let mut request = match ask {
            Ask::Head => self.agent.head(url),
            Ask::Get { .. } => self.agent.get(url),
        };
        if let Ask::Get { from: from @ 1.. } = ask {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let at_home = origin_of(url).is_ok_and(|origin| origin == self.origin);
        if let Some(authorization) = self.authorization.as_ref().filter(|_| at_home) {
            request = request.header("Authorization", authorization);
        }
        let response: Response<Body> = request.call().map_err(|e| self.broken(e))?;
        let (parts, body) = response.into_parts();
        Ok(HttpAnswer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The whole body as text. It may neither be large nor drip in.
    pub(super) fn text(&self, answer: HttpAnswer) -> Result<String, Broken> {
        let patience = self.silence_timeout.saturating_mul(TEXT_DEADLINE_SILENCES);
        let deadline = Instant::now() + patience;
        let mut reader = answer.body.into_reader().take(MAX_TEXT_BYTES + 1);
        let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let read = reader.read(&mut buffer).map_err(|e| self.broken_body(e))?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            text.extend_from_slice(bytes);
            if text.len() as u64 > MAX_TEXT_BYTES {
                return Err(Broken::Midway(format!("an answer of more than {MAX_TEXT_BYTES} bytes")));
            }
            if Instant::now() > deadline {
                return Err(Broken::Silent(patience));
            }
        }
        String::from_utf8(text).map_err(|_| Broken::Midway("an answer that is no UTF-8".to_string()))
    }

    /// What an error while reading a body means.
    pub(super) fn broken_body(&self, error: std::io::Error) -> Broken {
        match self.broken(ureq::Error::from(error)) {
            // The connection was there: the network is not missing.
            Broken::NoNetwork(detail) => Broken::Midway(detail),
            other => other,
        }
    }

    /// A part of an answer as it may be repeated in a message: short, and without the token.
    pub(super) fn detail(&self, text: &str) -> String {
        let text = self.token.as_ref().map_or_else(|| text.to_string(), |token| token.scrub(text));
        text.trim().chars().take(MAX_DETAIL_CHARS).collect()
    }

    /// The error for a request about `what` that got no (whole) answer.
    pub(super) fn error(&self, broken: Broken, what: &str) -> HubError {
        let (endpoint, what) = (self.endpoint.clone(), what.to_string());
        match broken {
            Broken::NoNetwork(detail) => HubError::NoNetwork { endpoint, detail },
            Broken::Silent(time) => HubError::Timeout { endpoint, what, seconds: time.as_secs_f64() },
            Broken::Midway(detail) => HubError::BadAnswer { endpoint, what, detail },
            Broken::Other(error) => error,
        }
    }

    fn broken(&self, error: ureq::Error) -> Broken {
        use std::io::ErrorKind;
        let detail = self.detail(&error.to_string());
        match error {
            ureq::Error::Timeout(ureq::Timeout::PerRead | ureq::Timeout::PerWrite) => {
                Broken::Silent(self.silence_timeout)
            }
            ureq::Error::Timeout(_) => Broken::Silent(self.answer_timeout),
            ureq::Error::HostNotFound => Broken::NoNetwork("no host of that name was found".to_string()),
            ureq::Error::Io(e) => match e.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => Broken::Silent(self.silence_timeout),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                    Broken::Midway("the connection broke off".to_string())
                }
                _ => Broken::NoNetwork(detail),
            },
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Broken::Other(HubError::BadEndpoint {
                endpoint: self.endpoint.clone(),
                reason: "no request can be made from it",
            }),
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyStalled => {
                Broken::Midway(detail)
            }
            _ => Broken::NoNetwork(detail),
        }
    }
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// `scheme://host:port` of an address, in one spelling.
fn origin_of(url: &str) -> Result<String, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it does not begin with https://")?;
    let scheme = scheme.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return Err("it does not begin with https://"),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    if host.contains('@') {
        return Err("it holds a user name; the token belongs into HF_TOKEN");
    }
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:[]".contains(c)) {
        return Err("it names no host");
    }
    Ok(format!("{scheme}://{}", host.strip_suffix(port).unwrap_or(&host)))
}

/// Where a `Location` header leads, seen from `url` (RFC 3986, section 5.2, for the forms that servers send).
fn redirected(url: &str, location: &str) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let target = if location.contains("://") {
        location.to_string()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let folder = path.rsplit_once('/').map_or(path, |(folder, _)| folder);
        format!("{scheme}://{folder}/{location}")
    };
    let to = origin_of(&target)
        .map_err(|reason| format!("a redirect to an address that cannot be used: {reason}"))?;
    if scheme.eq_ignore_ascii_case("https") && to.starts_with("http://") {
        return Err("a redirect from https to http".to_string());
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_an_origin() {
        let cases = [
            ("https://Hub.co", "https://hub.co"),
            ("https://hub.co:443/a/b", "https://hub.co"),
            ("http://hub.co:80?x", "http://hub.co"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ];
        for (url, origin) in cases {
            assert_eq!(origin_of(url).unwrap(), origin);
        }
        for url in ["hub.co", "ftp://hub.co", "https://", "https:///x", "https://a:b@hub.co", "http://a b"] {
            assert!(origin_of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn where_redirects_lead() {
        let from = "https://hub.co/a/resolve/main/x.json?y=1";
        let cases = [
            ("/b/resolve/main/x.json", "https://hub.co/b/resolve/main/x.json"),
            ("//cdn.co/x", "https://cdn.co/x"),
            ("https://cdn.co/x?sig=1", "https://cdn.co/x?sig=1"),
            ("y.json", "https://hub.co/a/resolve/main/y.json"),
        ];
        for (location, expected) in cases {
            assert_eq!(redirected(from, location).unwrap(), expected);
        }
        for refused in ["http://hub.co/x", "file:///etc/passwd", "https://user@cdn.co/x"] {
            assert!(redirected(from, refused).is_err(), "{refused}");
        }
        assert!(redirected("http://hub.co/x", "http://cdn.co/x").is_ok());
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        let options = HubOptions::from_env().endpoint("https://me:secret@hub.co");
        let error = Client::new(&options).unwrap_err().to_string();
        assert!(error.contains("hub.co") && !error.contains("secret"), "{error}");
    }
}
