//! Running a case, and what every case must hold to.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Address space in KiB that a case may take.
const MEMORY: &str = "2097152";
/// Seconds of processor time, all threads together, after which a case counts as hanging: six times what a release
/// build may take, as this is a development build on a machine of any speed.
const SECONDS: &str = "60";
/// Seconds of the wall clock after which a case counts as hanging, on a machine however busy.
const WALL_SECONDS: &str = "240";

/// What came of a case.
pub struct Ran {
    name: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary in `dir` with `input` on its standard input.
pub fn run(name: &str, dir: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let limits = format!("ulimit -v {MEMORY} && ulimit -t {SECONDS} && exec timeout {WALL_SECONDS} \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_maskscope")])
        .args(arguments)
        .current_dir(dir)
        .env_remove("RUST_BACKTRACE")
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    Ran::new(name, output)
}

impl Ran {
    /// Checks what holds for every input.
    pub fn new(name: &str, output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Self {
            name: name.to_string(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(matches!(ran.code, Some(0..=2)), "{name}: it ended with {}{}", output.status, ran.tail());
        for stream in [&ran.stdout, &ran.stderr] {
            assert!(!stream.contains("panicked at"), "{name}: a panic is printed{}", ran.tail());
            let raw = stream.chars().find(|c| steers_terminal(*c));
            assert!(raw.is_none(), "{name}: {raw:?} reaches the terminal{}", ran.tail());
        }
        ran
    }

    /// The request could not be carried out, and the one sentence about it holds `parts`.
    pub fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(2), "{}: the exit status{}", self.name, self.tail());
        let error = self.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        for part in parts {
            assert!(error.contains(part), "{}: {part:?} is not said{}", self.name, self.tail());
        }
        self
    }

    /// The request was carried out.
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: the exit status{}", self.name, self.tail());
        self
    }

    /// The request was carried out and found something, which the report or stderr tells in these words.
    pub fn found(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}: the exit status{}", self.name, self.tail());
        for part in parts {
            let said = self.stdout.contains(part) || self.stderr.contains(part);
            assert!(said, "{}: {part:?} is not said{}", self.name, self.tail());
        }
        self
    }

    fn tail(&self) -> String {
        let end = |text: &str| {
            let from = text.char_indices().rev().nth(1500).map_or(0, |(at, _)| at);
            text[from..].to_string()
        };
        format!("\nstdout: {}\nstderr: {}", end(&self.stdout), end(&self.stderr))
    }
}

/// Control and bidirectional formatting characters; line breaks and tabs are for the terminal to have.
fn steers_terminal(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
}

/// A folder with these files.
pub fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
    dir
}
