//! The same function in the user's own Python: a script of ours is sent to it, with the samples, and answers line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::function::{FunctionRun, RepositoryFunction};
use super::setup_lines::SetupCode;
use crate::chat::Sample;
use crate::error::{Error, Result};

const SCRIPT: &str = include_str!("python/verify.py");
/// Modules that must be real for the result to say anything.
const NEEDED: [&str; 5] = ["transformers", "tokenizers", "torch", "numpy", "packaging"];

/// One sample in Python, and here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub id: String,
    pub python: PythonRun,
    pub sandbox: std::result::Result<FunctionRun, String>,
}

/// What Python left of a sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonRun {
    pub input_ids: Option<Vec<i64>>,
    pub labels: Option<Vec<i64>>,
    /// Type and message.
    pub error: Option<(String, String)>,
    pub printed: String,
}

/// All samples, and what the Python environment is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    pub transformers: String,
    /// Modules that were missing there, and empty ones took their place.
    pub stubbed: Vec<String>,
    pub samples: Vec<Verified>,
}

impl Verified {
    /// What differs, in a few words; `None` where nothing does.
    pub fn difference(&self) -> Option<String> {
        let run = match &self.sandbox {
            Ok(run) => run,
            Err(error) => return Some(format!("the sandbox: {error}")),
        };
        match (&run.result, &self.python.error) {
            (Err(raised), Some((kind, message))) => {
                let same = raised.kind == *kind && raised.message == *message;
                (!same).then(|| format!("sandbox {raised}, Python {kind}: {message}"))
            }
            (Err(raised), None) => Some(format!("only the sandbox raises: {raised}")),
            (Ok(_), Some((kind, message))) => Some(format!("only Python raises: {kind}: {message}")),
            (Ok((ids, labels)), None) => {
                let first = |a: &[i64], b: &[i64]| {
                    let at = a.iter().zip(b).position(|(a, b)| a != b);
                    at.or_else(|| (a.len() != b.len()).then_some(a.len().min(b.len())))
                };
                let python_ids = self.python.input_ids.as_deref().unwrap_or_default();
                let python_labels = self.python.labels.as_deref().unwrap_or_default();
                if let Some(at) = first(ids, python_ids) {
                    return Some(format!(
                        "ids differ from token {at} on ({} and {})",
                        ids.len(),
                        python_ids.len()
                    ));
                }
                if let Some(at) = first(labels, python_labels) {
                    return Some(format!("labels differ from token {at} on"));
                }
                (run.printed != self.python.printed).then(|| "what is printed differs".to_string())
            }
        }
    }
}

/// Runs the samples in `python`, and here.
///
/// # Errors
/// Python cannot be started, or the script fails before the first sample; its own words are in the message.
pub fn verify(
    function: &RepositoryFunction,
    setup: Option<&SetupCode>,
    tokenizer: &str,
    python: &Path,
    samples: &[Sample],
) -> Result<Verification> {
    let request = request(function, setup, tokenizer, samples);
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| Error::io(python, source))?;
    if let Some(mut input) = child.stdin.take() {
        let _ = serde_json::to_writer(&mut input, &request).map(|()| input.flush());
    }
    let errors = child.stderr.take().map(|errors| {
        std::thread::spawn(move || {
            let lines = BufReader::new(errors).lines().map_while(std::result::Result::ok);
            let mut last: Vec<String> = lines.collect();
            last.split_off(last.len().saturating_sub(8)).join("\n")
        })
    });
    let mut found = Verification::default();
    if let Some(output) = child.stdout.take() {
        let mut lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
        if let Some(head) = lines.next().and_then(|line| serde_json::from_str::<Value>(&line).ok()) {
            found.transformers = text(&head, "transformers");
            let stubbed =
                head.get("stubbed").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            found.stubbed = stubbed.iter().filter_map(Value::as_str).map(String::from).collect();
        }
        for (sample, line) in samples.iter().zip(lines) {
            let Ok(answer) = serde_json::from_str::<Value>(&line) else { break };
            let sandbox = function.run(sample).map_err(|error| error.to_string());
            found.samples.push(Verified { id: sample.id.clone(), python: python_run(&answer), sandbox });
        }
    }
    let status = child.wait().map_err(|source| Error::io(python, source))?;
    let said = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !status.success() || found.samples.len() != samples.len() {
        return Err(Error::Usage(format!("{}: {said}", python.display())));
    }
    Ok(found)
}

fn request(
    function: &RepositoryFunction,
    setup: Option<&SetupCode>,
    tokenizer: &str,
    samples: &[Sample],
) -> Value {
    let entry = function.entry();
    let root = function.checkout().root();
    // The folder that the entry's module name counts from; then all above the file, as scripts are started in any of them.
    let file = entry.module.replace('.', "/") + ".py";
    let above = entry.file.strip_suffix(&file).unwrap_or_default();
    let mut folders = vec![above.trim_end_matches('/').to_string(), String::new()];
    let ends = entry.file.match_indices('/').map(|(at, _)| at);
    folders.extend(ends.filter_map(|at| entry.file.get(..at).map(String::from)));
    let mut paths: Vec<String> = Vec::new();
    for folder in folders {
        let path = root.join(folder).display().to_string();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let needed: Vec<&str> = NEEDED.into_iter().chain(entry.module.split('.').next()).collect();
    let samples: Vec<Value> = samples.iter().map(|sample| function.sample_request(sample)).collect();
    let start = function.start_request();
    let part = |key: &str| start.get(key).cloned().unwrap_or_default();
    json!({
        "paths": paths, "needed": needed, "module": entry.module, "tokenizer": tokenizer,
        "use_fast": function.tokenizer().is_some_and(|t| !t.is_slow()),
        "setup": setup.map(|code| &code.text), "setup_names": part("setup_names"), "prepare": entry.prepare,
        "entry": entry.entry, "multimodal": entry.multimodal, "version": entry.version, "options": part("options"),
        "samples": samples,
    })
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_string()
}

fn python_run(answer: &Value) -> PythonRun {
    let numbers = |key: &str| {
        let values = answer.get(key)?.as_array()?;
        values.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>()
    };
    PythonRun {
        input_ids: numbers("input_ids"),
        labels: numbers("labels"),
        error: answer.get("error").map(|error| (text(error, "type"), text(error, "message"))),
        printed: text(answer, "printed"),
    }
}
