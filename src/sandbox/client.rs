//! The parent's side: starts the child, answers what its code asks, ends it when its time is up.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::protocol::{SUBCOMMAND, TIME_IS_UP};
use super::stop::StopSignal;

/// Answers what code in the sandbox asks for.
pub trait Host {
    /// The answer to a question `{"ask": …}`; a refusal is `{"raise": [type, message]}`.
    fn answer(&mut self, question: &Value) -> Value;
}

/// What one request may take.
#[derive(Debug, Clone, Copy)]
pub struct SandboxLimits {
    pub time: Duration,
    /// Questions that the code may ask.
    pub questions: usize,
    /// Bytes that the code may send in one message.
    pub message: usize,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), questions: 20_000, message: 64 << 20 }
    }
}

/// Loadings of the tokenizer whose time is not the code's: large vocabularies take seconds on a busy machine, and scripts load
/// once or twice.
const FREE_LOADS: usize = 2;

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The child could not be started.
    #[error("the sandbox does not start: {0}")]
    Start(String),
    /// The code ran longer than it may.
    #[error("the code ran longer than {0:?} and was ended")]
    Time(Duration),
    /// The code asked the tokenizer more often than it may.
    #[error("the code asked for more than {0} things and was ended")]
    Questions(usize),
    /// A message was longer than it may be.
    #[error("the code sent more than {0} bytes at once and was ended")]
    Message(usize),
    /// The child ended by itself: out of memory or of stack, mostly.
    #[error("the code used more memory than it may, or crashed the interpreter ({0})")]
    Crash(String),
    /// The user no longer wants the result.
    #[error("the run was ended on your wish")]
    Cancelled,
}

static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();

/// Names the binary whose hidden subcommand is the child: needed where this program is not that binary (tests).
#[cfg_attr(not(feature = "internals"), allow(dead_code))]
pub fn set_executable(path: impl Into<PathBuf>) {
    let _ = EXECUTABLE.set(path.into());
}

/// A running child. Dropping it ends the process.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    input: ChildStdin,
    lines: Receiver<Line>,
    limits: SandboxLimits,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl Sandbox {
    /// Starts a child.
    ///
    /// # Errors
    /// [`SandboxError::Start`].
    pub fn start(limits: SandboxLimits) -> Result<Self, SandboxError> {
        let failed = |error: std::io::Error| SandboxError::Start(error.to_string());
        let executable = match EXECUTABLE.get() {
            Some(path) => path.clone(),
            None => std::env::current_exe().map_err(failed)?,
        };
        let mut command = Command::new(executable);
        command.arg(SUBCOMMAND).env_clear().current_dir(std::path::MAIN_SEPARATOR_STR);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SandboxError::Start("it has no pipes".into()));
        };
        let (sender, lines) = sync_channel(4);
        let longest = limits.message;
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            while let Some(line) = read_line(&mut reader, longest) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, lines, limits })
    }

    /// Sends a request and serves the child's questions until it is done.
    ///
    /// # Errors
    /// Any [`SandboxError`]; the child is ended then, and of no more use.
    pub fn request(&mut self, request: &Value, host: &mut dyn Host) -> Result<Value, SandboxError> {
        let mut end = Instant::now() + self.limits.time;
        self.send(request)?;
        let (mut asked, mut loads) = (0, 0);
        loop {
            let message = self.receive(end)?;
            match message {
                Value::Object(mut map) if map.contains_key("done") => {
                    return Ok(map.remove("done").unwrap_or_default());
                }
                question => {
                    asked += 1;
                    if asked > self.limits.questions {
                        self.end();
                        return Err(SandboxError::Questions(self.limits.questions));
                    }
                    let began = Instant::now();
                    let answer = host.answer(&question);
                    if question.get("ask").and_then(Value::as_str) == Some("load") && loads < FREE_LOADS {
                        loads += 1;
                        end += began.elapsed();
                    }
                    self.send(&answer)?;
                }
            }
        }
    }

    fn send(&mut self, value: &Value) -> Result<(), SandboxError> {
        let mut line = serde_json::to_vec(value).unwrap_or_default();
        line.push(b'\n');
        match self.input.write_all(&line).and_then(|()| self.input.flush()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.crashed()),
        }
    }

    fn receive(&mut self, end: Instant) -> Result<Value, SandboxError> {
        let stop = StopSignal::current();
        loop {
            if stop.is_set() {
                self.end();
                return Err(SandboxError::Cancelled);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.end();
                return Err(SandboxError::Time(self.limits.time));
            }
            match self.lines.recv_timeout(left.min(Duration::from_millis(50))) {
                Ok(Line::Text(line)) => {
                    return Ok(serde_json::from_slice(&line).unwrap_or_else(|_| json!({"ask": "nothing"})));
                }
                Ok(Line::TooLong) => {
                    self.end();
                    return Err(SandboxError::Message(self.limits.message));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.crashed()),
            }
        }
    }

    fn crashed(&mut self) -> SandboxError {
        let status = self.child.wait();
        match status {
            Ok(status) if status.code() == Some(TIME_IS_UP) => SandboxError::Time(self.limits.time),
            Ok(status) => SandboxError::Crash(status.to_string()),
            Err(error) => SandboxError::Crash(error.to_string()),
        }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_line(reader: &mut BufReader<ChildStdout>, longest: usize) -> Option<Line> {
    use std::io::BufRead;
    let mut line = Vec::new();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    let read = reader.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
    match line.last() {
        _ if read == 0 => None,
        Some(b'\n') => Some(Line::Text(line)),
        _ if read >= longest => Some(Line::TooLong),
        _ => None,
    }
}
