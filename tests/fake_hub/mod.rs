//! A small hub on 127.0.0.1 with the ways in which the real one, or what stands before it, can fail.
//!
//! The name of the repository chooses the behaviour (`acme/ok`, `acme/gated`, …); see `Reply`. Two listeners: the
//! hub, and a storage server that `redir` sends to. Every request is kept for the test to look at.

mod files;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub use files::{COMMIT, content, etag, names};

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    /// It came in at the storage server.
    pub at_storage: bool,
}

/// What the server is and what it saw; the server ends when this is dropped.
pub struct FakeHub {
    address: String,
    shared: Arc<Shared>,
    listeners: Vec<(String, std::thread::JoinHandle<()>)>,
}

struct Shared {
    storage: String,
    requests: Mutex<Vec<Request>>,
    /// Files of `trunc` that were cut already.
    cut: Mutex<HashSet<String>>,
    connections: Mutex<Vec<TcpStream>>,
    stopping: AtomicBool,
}

impl FakeHub {
    pub fn start() -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (hub, storage) = (bind(), bind());
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let (hub_address, storage_address) = (address(&hub), address(&storage));
        let shared = Arc::new(Shared {
            storage: storage_address.clone(),
            requests: Mutex::default(),
            cut: Mutex::default(),
            connections: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let serve = |listener: TcpListener, at_storage: bool| {
            let shared = shared.clone();
            std::thread::spawn(move || accept(&listener, &shared, at_storage))
        };
        let listeners =
            vec![(hub_address.clone(), serve(hub, false)), (storage_address, serve(storage, true))];
        Self { address: hub_address, shared, listeners }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Requests for the content of files.
    pub fn downloads(&self) -> Vec<Request> {
        let content = |r: &Request| r.method == "GET" && !r.path.starts_with("/api/");
        self.requests().into_iter().filter(content).collect()
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for (address, thread) in self.listeners.drain(..) {
            // Wakes the listener, which then sees that it is to stop.
            let _ = TcpStream::connect(address);
            let _ = thread.join();
        }
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, at_storage: bool) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if let Ok(handle) = stream.try_clone() {
            shared.connections.lock().unwrap().push(handle);
        }
        let shared = shared.clone();
        // A client that hangs up in the middle is part of the tests, not an error of the server.
        std::thread::spawn(move || while let Ok(true) = answer_one(&stream, &shared, at_storage) {});
    }
}

/// Reads and answers one request; false when the connection is at its end.
fn answer_one(stream: &TcpStream, shared: &Shared, at_storage: bool) -> std::io::Result<bool> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(false);
    }
    let mut words = line.split_whitespace().map(String::from);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, at_storage, ..Request::default() };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.authorization = Some(value.to_string()),
            "range" => request.range = Some(value.to_string()),
            _ => {}
        }
    }
    shared.requests.lock().unwrap().push(request.clone());
    let reply = Reply::to(&request, shared);
    reply.send(stream, request.method == "HEAD")
}

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As it should.
    Whole,
    /// Content-Length promises more; then the connection closes.
    CutAt(usize),
    /// No Content-Length; the connection closes early.
    CloseAt(usize),
    /// Chunked; closes without the last chunk.
    ChunkedCutAt(usize),
    /// Chunked, complete.
    Chunked,
    /// Falls silent.
    SilentAt(usize),
    /// One byte now and then, without end.
    Drip,
    /// Not even headers.
    NoAnswer,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
}

impl Reply {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), end: End::Whole }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn refuse(status: u16, code: &str, message: &str) -> Self {
        let body = format!("{{\"error\":\"{message}\"}}");
        Self::new(status, body).with("X-Error-Code", code).with("X-Error-Message", message)
    }

    fn to(request: &Request, shared: &Shared) -> Self {
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(file) = path.strip_prefix("/storage/").filter(|_| request.at_storage) {
            return Self::file("storage", file, request, shared);
        }
        let api = path.strip_prefix("/api/models/").or_else(|| path.strip_prefix("/api/datasets/"));
        if let Some(rest) = api {
            return match rest.split_once("/revision/") {
                Some((repo, revision)) => Self::listing(repo, revision, request),
                None => Self::refuse(404, "NotFound", "nope"),
            };
        }
        match path
            .trim_start_matches('/')
            .trim_start_matches("datasets/")
            .split_once("/resolve/")
            .and_then(|(r, f)| Some((r, f.split_once('/')?)))
        {
            Some((repo, (revision, file))) => Self::resolve(repo, revision, file, request, shared),
            None => Self::refuse(404, "NotFound", "nope"),
        }
    }

    /// The refusals that the list and the files have in common.
    fn refused(repo: &str, revision: &str, request: &Request) -> Option<Self> {
        let token = request.authorization.as_deref();
        let good = token == Some("Bearer good");
        match (repo, token) {
            ("acme/none", None) => Some(Self::refuse(401, "RepoNotFound", "Invalid username or password.")),
            ("acme/none", _) => Some(Self::refuse(404, "RepoNotFound", "Repository not found")),
            (_, Some("Bearer unknown")) => {
                Some(Self::refuse(401, "", "Invalid credentials in Authorization header: unknown"))
            }
            ("acme/restricted", Some(token)) => {
                // Servers do echo what they were sent.
                Some(Self::refuse(403, "", &format!("{token} lacks a scope")))
            }
            ("acme/disabled", _) => Some(Self::refuse(403, "", "Access to this resource is disabled.")),
            ("acme/gated", None) => Some(Self::refuse(401, "GatedRepo", "You must be authenticated.")),
            ("acme/gated", _) if !good => Some(Self::refuse(403, "GatedRepo", "Not in the authorized list.")),
            ("acme/flaky", _) => Some(Self::new(503, "down")),
            ("acme/busy", _) => Some(Self::new(429, "slow down")),
            ("acme/silent", _) => Some(Self { end: End::NoAnswer, ..Self::new(200, "") }),
            _ if !["main", "v1%2Fx", COMMIT].contains(&revision) => {
                Some(Self::refuse(404, "RevisionNotFound", &format!("Invalid rev id: {revision}")))
            }
            _ => None,
        }
    }

    fn listing(repo: &str, revision: &str, request: &Request) -> Self {
        // As on the hub, the list of a gated repository is public; so it is for one that holds files back.
        if let Some(refused) = Self::refused(repo, revision, request).filter(|_| repo != "acme/gated") {
            return refused;
        }
        let mut siblings: Vec<String> =
            names().iter().map(|name| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        if repo == "acme/liar" {
            siblings.push("{\"rfilename\":\"vocab.json\"}".to_string());
        }
        if repo == "acme/evil" {
            siblings.push("{\"rfilename\":\"../../../../evil.model\"}".to_string());
        }
        let json =
            format!("{{\"id\":\"{repo}\",\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}", siblings.join(","));
        match repo {
            "acme/portal" => Self::new(200, "<html>Welcome to the hotel</html>"),
            "acme/listcut" => Self { end: End::CutAt(json.len() / 2), ..Self::new(200, json) },
            "acme/listdrip" => Self { end: End::Drip, ..Self::new(200, "") },
            "acme/loop" => Self::new(302, "").with("Location", request.path.clone()),
            _ => Self::new(200, json),
        }
    }

    fn resolve(repo: &str, revision: &str, file: &str, request: &Request, shared: &Shared) -> Self {
        if let Some(refused) = Self::refused(repo, revision, request) {
            return refused;
        }
        let moved = request.path.replacen("acme/renamed", "acme/ok", 1);
        match (repo, request.method.as_str()) {
            ("acme/renamed", _) => Self::new(307, "").with("Location", moved),
            ("acme/get403", "GET") => Self::refuse(403, "X", "no download for you"),
            ("acme/get503", "GET") => Self::new(503, "<html>overloaded</html>"),
            _ if content(file).is_none() => Self::refuse(404, "EntryNotFound", "Entry not found"),
            _ => Self::file(repo, file, request, shared),
        }
    }

    fn file(repo: &str, file: &str, request: &Request, shared: &Shared) -> Self {
        let Some(whole) = content(file) else { return Self::new(404, "") };
        let tag = etag(file, repo == "acme/lfs" || repo == "acme/redir" || repo == "storage");
        if repo == "acme/redir" {
            return Self::new(302, "")
                .with("X-Linked-ETag", format!("\"{tag}\""))
                .with("X-Linked-Size", whole.len().to_string())
                .with("X-Repo-Commit", COMMIT)
                .with("Location", format!("http://{}/storage/{file}", shared.storage));
        }
        let whole_bytes = whole.len();
        let begin = request.range.as_deref().filter(|_| repo != "acme/norange");
        let begin = begin.and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok());
        let mut reply = match begin {
            Some(begin) if begin >= whole.len() => Self::new(416, ""),
            Some(begin) => Self::new(206, &whole[begin..])
                .with("Content-Range", format!("bytes {begin}-{}/{}", whole.len() - 1, whole.len())),
            None => Self::new(200, whole),
        };
        if repo != "acme/noetag" {
            let opaque = repo == "acme/opaque" || repo == "acme/unverifiable";
            reply = reply.with(
                "ETag",
                if opaque { format!("W/\"version-{}\"", whole_bytes) } else { format!("\"{tag}\"") },
            );
        }
        match repo {
            "storage" | "acme/nocommit" => {}
            "acme/moving" => reply = reply.with("X-Repo-Commit", "b".repeat(40)),
            _ => reply = reply.with("X-Repo-Commit", COMMIT),
        }
        reply.misbehave(repo, file, request, shared)
    }

    /// What the mode does to the body of a file.
    fn misbehave(mut self, repo: &str, file: &str, request: &Request, shared: &Shared) -> Self {
        let head = request.method == "HEAD";
        let large = self.body.len() > 100_000;
        let half = self.body.len() / 2;
        match repo {
            "acme/trunc" if large && !head && shared.cut.lock().unwrap().insert(file.to_string()) => {
                self.end = End::CutAt(50_000);
            }
            "acme/trunc2" | "acme/norange" if large && !head => self.end = End::CutAt(50_000),
            "acme/stuck" if large && !head => {
                self.end = if request.range.is_none() { End::CutAt(50_000) } else { End::CutAt(0) };
            }
            "acme/closetrunc" if !head => self.end = End::CloseAt(half),
            "acme/chunktrunc" if !head => self.end = End::ChunkedCutAt(half),
            // No size anywhere: only the hash can tell.
            "acme/nolength" => self.end = if head { End::Chunked } else { End::CloseAt(self.body.len()) },
            "acme/nolengthcut" => self.end = if head { End::Chunked } else { End::CloseAt(half) },
            "acme/unverifiable" => self.end = End::Chunked,
            "acme/stall" if large && !head => {
                self.end = if request.range.is_none() { End::SilentAt(50_000) } else { End::SilentAt(0) };
            }
            "acme/drip" if large && !head => self.end = End::Drip,
            "acme/damaged" if !head => self.body.iter_mut().take(1).for_each(|byte| *byte ^= 1),
            "acme/toolong" if !head => self.body.extend_from_slice(b"and more"),
            _ => {}
        }
        self
    }

    /// Writes the answer; false when the connection must end with it.
    fn send(self, mut stream: &TcpStream, head: bool) -> std::io::Result<bool> {
        if self.end == End::NoAnswer {
            return wait_for_hang_up(stream);
        }
        let mut text = format!("HTTP/1.1 {} Said\r\nContent-Type: application/json\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.end {
            End::Chunked | End::ChunkedCutAt(_) => text.push_str("Transfer-Encoding: chunked\r\n"),
            End::CloseAt(_) => text.push_str("Connection: close\r\n"),
            End::Drip => text.push_str("Content-Length: 1000000\r\n"),
            _ => text.push_str(&format!("Content-Length: {}\r\n", self.body.len())),
        }
        stream.write_all(text.as_bytes())?;
        stream.write_all(b"\r\n")?;
        if head {
            return Ok(true);
        }
        let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let up_to = |end: usize| &self.body[..end.min(self.body.len())];
        match self.end {
            End::Whole | End::NoAnswer => stream.write_all(&self.body)?,
            End::CutAt(end) | End::CloseAt(end) => stream.write_all(up_to(end))?,
            End::ChunkedCutAt(end) => stream.write_all(&chunk(up_to(end)))?,
            End::Chunked => stream.write_all(&[chunk(&self.body).as_slice(), b"0\r\n\r\n"].concat())?,
            End::SilentAt(end) => {
                stream.write_all(up_to(end))?;
                return wait_for_hang_up(stream);
            }
            End::Drip => loop {
                stream.write_all(b" ")?;
                std::thread::sleep(std::time::Duration::from_millis(20));
            },
        }
        if matches!(self.end, End::Whole | End::Chunked) {
            return Ok(true);
        }
        stream.shutdown(Shutdown::Both)?;
        Ok(false)
    }
}

fn wait_for_hang_up(mut stream: &TcpStream) -> std::io::Result<bool> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(false)
}
