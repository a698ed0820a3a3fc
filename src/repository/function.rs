//! A label function of a repository, ready to run on samples.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::checkout::Checkout;
use super::entry::{DispatchEntry, FunctionChoice, find};
use super::line_edit::LineEdit;
use super::pieces::pieces;
use super::reading::read;
use super::setup_lines::{SetupCode, own_setup};
use super::tokenizer_api::{Loading, TokenizerApi};
use crate::chat::Sample;
use crate::error::{Error, Result};
use crate::python::PythonError;
use crate::sandbox::{Host, Sandbox, SandboxError, SandboxLimits};
use crate::tokenizer::{LoadOptions, Release, Tokenizer};

/// Largest `model_max_length` that the training scripts set.
const TRAINING_MAX_LENGTH: u64 = 2048;

/// Samples that may take longer than they may before no more are tried.
const MOST_TIMEOUTS: usize = 3;

/// The versions of the two libraries that code asks for.
struct Versions {
    transformers: String,
    tokenizers: &'static str,
}

impl Versions {
    fn new(release: Release, given: Option<&str>) -> Self {
        let (own, mut tokenizers) = match release {
            Release::V4_31 => ("4.31.0", "0.13.3"),
            Release::V4_37 => ("4.37.2", "0.15.1"),
            Release::V4_57 => ("4.57.6", "0.22.1"),
            Release::V5 => ("5.0.0", "0.22.1"),
        };
        let transformers = given.filter(|text| text.contains('.')).unwrap_or(own).to_string();
        let versions = Self { transformers, tokenizers };
        if matches!(release, Release::V4_37 | Release::V4_57) && versions.is_at_least(4, 40) {
            let since = [((4, 56), "0.22.1"), ((4, 45), "0.20.3")];
            let found = since.iter().find(|((major, minor), _)| versions.is_at_least(*major, *minor));
            tokenizers = found.map_or("0.19.1", |(_, version)| version);
        }
        Self { tokenizers, ..versions }
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.transformers.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
    }
}

/// What the caller of a label function decides, and no file of the repository does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallOptions {
    pub mm_use_im_start_end: bool,
    /// Tokens that one image takes where the function writes them out.
    pub image_tokens: usize,
    /// Frames of a video.
    pub num_frames: usize,
    /// The name or path of the model, for conditions on it.
    pub model_name: String,
    /// The release of transformers in the user's own words; the code may ask for it.
    pub transformers: Option<String>,
    /// Arguments of the training script: name and value.
    pub script_arguments: Vec<(String, String)>,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            mm_use_im_start_end: false,
            image_tokens: 256,
            num_frames: 8,
            model_name: String::new(),
            transformers: None,
            script_arguments: Vec::new(),
        }
    }
}

/// An exception that left the function, with the line of the user's code that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Raised {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    #[serde(rename = "where")]
    pub place: Option<(String, usize)>,
}

/// Something that happened in the user's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A name was given an integer.
    Set { file: String, line: usize, name: String, value: Option<i64> },
    /// Labels `start..end` were given a value.
    Slice { file: String, line: usize, start: i64, end: i64, value: Option<i64> },
}

impl Event {
    /// File and line.
    pub fn place(&self) -> (&str, usize) {
        match self {
            Self::Set { file, line, .. } | Self::Slice { file, line, .. } => (file, *line),
        }
    }
}

/// One sample, as the function left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionRun {
    /// Ids and labels, or what was raised.
    pub result: std::result::Result<(Vec<i64>, Vec<i64>), Raised>,
    /// All that was printed.
    pub printed: String,
    pub prompt: Option<String>,
    pub trace: Vec<Event>,
}

/// The texts of the conversation template in force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TemplateTexts {
    /// The separator style's name: `TWO`, `LLAMA_2`, …
    pub style: String,
    pub system: String,
    pub roles: [String; 2],
    pub version: String,
    pub sep: String,
    pub sep2: Option<String>,
}

/// A label function with its tokenizer, and the children that run it.
#[derive(Debug)]
pub struct RepositoryFunction {
    shared: Shared,
    entry: DispatchEntry,
    start: Value,
    options: CallOptions,
    idle: Mutex<Vec<Sandbox>>,
    limits: SandboxLimits,
    /// Samples that took longer than they may.
    timeouts: AtomicUsize,
    /// The tokenizer after the set-up lines.
    handle: usize,
    template: Option<TemplateTexts>,
    made_from: MadeFrom,
}

/// What else the function was made from.
#[derive(Debug, Clone)]
struct MadeFrom {
    base: Arc<Tokenizer>,
    load: LoadOptions,
    setup: Option<SetupCode>,
}

#[derive(Debug)]
struct Shared {
    checkout: Checkout,
    api: TokenizerApi,
    /// File → its pieces, or why there are none.
    modules: Mutex<HashMap<String, std::result::Result<Value, String>>>,
}

impl RepositoryFunction {
    /// Starts a sandbox, runs the set-up lines and finds the function.
    ///
    /// # Errors
    /// The set-up lines raise, or the function is not there.
    pub fn new(
        checkout: Checkout,
        entry: DispatchEntry,
        base: Arc<Tokenizer>,
        load: LoadOptions,
        setup: Option<&SetupCode>,
        options: CallOptions,
    ) -> Result<Self> {
        Self::with_limits(checkout, entry, base, load, setup, options, SandboxLimits::default())
    }

    /// The same under limits of the caller's.
    ///
    /// # Errors
    /// As [`Self::new`].
    #[allow(clippy::too_many_arguments)] // those of `new`, and the limits
    pub fn with_limits(
        checkout: Checkout,
        entry: DispatchEntry,
        base: Arc<Tokenizer>,
        load: LoadOptions,
        setup: Option<&SetupCode>,
        options: CallOptions,
        limits: SandboxLimits,
    ) -> Result<Self> {
        let made_from = MadeFrom { base: base.clone(), load, setup: setup.cloned() };
        let versions = Versions::new(base.facts.release, options.transformers.as_deref());
        let api = TokenizerApi::new(base.clone(), load, versions.is_at_least(4, 39));
        let setup_pieces = setup.map(setup_pieces).transpose()?;
        let setup_names = setup_names(&entry, &options, &base);
        let start = json!({
            "op": "start",
            "versions": {"transformers": versions.transformers, "tokenizers": versions.tokenizers},
            "tokenizer": api.described(0),
            "setup": setup_pieces,
            "setup_file": setup.map(|code| &code.file),
            "setup_stars": [entry.module],
            "entry_file": entry.file,
            "setup_names": setup_names,
            "prepare": entry.prepare,
            "entry": entry.entry,
            "multimodal": entry.multimodal,
            "version": entry.version,
            "options": {
                "image_tokens": options.image_tokens,
                "num_image": 1,
                "data_args": {
                    "is_multimodal": true,
                    "mm_use_im_start_end": options.mm_use_im_start_end,
                    "num_frames": options.num_frames,
                    "image_aspect_ratio": "pad",
                },
            },
        });
        let mut function = Self {
            shared: Shared { checkout, api, modules: Mutex::default() },
            entry,
            start,
            options,
            idle: Mutex::default(),
            limits,
            timeouts: AtomicUsize::new(0),
            handle: 0,
            template: None,
            made_from,
        };
        let (sandbox, answer) = function.started()?;
        let handle =
            answer.get("handle").and_then(Value::as_u64).and_then(|handle| usize::try_from(handle).ok());
        function.handle = handle.unwrap_or_default();
        function.template = answer.get("template").and_then(|texts| TemplateTexts::deserialize(texts).ok());
        function.give_back(sandbox);
        Ok(function)
    }

    /// What is called.
    pub fn entry(&self) -> &DispatchEntry {
        &self.entry
    }

    /// The files whose code was run so far, from the root of the checkout.
    pub fn files(&self) -> Vec<String> {
        let modules = self.shared.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files: Vec<String> = modules.keys().cloned().collect();
        files.extend(self.made_from.setup.iter().map(|setup| setup.file.clone()));
        files.sort();
        files.dedup();
        files
    }

    /// The files it is read from.
    pub fn checkout(&self) -> &Checkout {
        &self.shared.checkout
    }

    /// Tokens that a sample may have in training.
    pub fn max_length(&self) -> usize {
        let tokenizer = self.tokenizer().unwrap_or_else(|| self.made_from.base.clone());
        usize::try_from(longest(&tokenizer)).unwrap_or(usize::MAX)
    }

    /// The conversation template in force, where the file has one of LLaVA's make.
    pub fn template(&self) -> Option<&TemplateTexts> {
        self.template.as_ref()
    }

    /// The same function with lines changed in memory.
    ///
    /// # Errors
    /// A line is another one by now, or [`Self::new`]'s.
    pub fn with_edits(&self, edits: &[LineEdit]) -> Result<Self> {
        let checkout = self.shared.checkout.clone().with_edits(edits)?;
        let MadeFrom { base, load, setup } = self.made_from.clone();
        Self::with_limits(
            checkout,
            self.entry.clone(),
            base,
            load,
            setup.as_ref(),
            self.options.clone(),
            self.limits,
        )
    }

    /// A number for the code that is run: the entry's own file, what is called, and the set-up lines. Another one after an edit.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.start.to_string());
        let prepared = self.entry.prepare.as_ref().and_then(|prepare| prepare.get("module")?.as_str());
        let library = prepared.and_then(|module| self.shared.checkout.module(module, Some(&self.entry.file)));
        for file in [Some(self.entry.file.as_str()), library.map(|(file, _)| file)].into_iter().flatten() {
            digest.update(self.shared.checkout.read(file).unwrap_or_default());
        }
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Other label functions of its file, by name.
    pub fn other_names(&self) -> Vec<String> {
        self.entry.functions.iter().filter(|name| **name != self.entry.name).cloned().collect()
    }

    /// Another function of its file, with the same template and tokenizer.
    ///
    /// # Errors
    /// There is none of that name, or [`Self::new`]'s.
    pub fn with_function(&self, name: &str) -> Result<Self> {
        let checkout = self.shared.checkout.clone();
        let choice = FunctionChoice {
            version: self.entry.version.clone(),
            function: Some(format!("{}:{name}", self.entry.file)),
        };
        let entry = find(&checkout, &read(&checkout)?, &choice)?;
        let MadeFrom { base, load, setup } = self.made_from.clone();
        Self::with_limits(checkout, entry, base, load, setup.as_ref(), self.options.clone(), self.limits)
    }

    /// The file of the script whose lines make the tokenizer ready; `None` where others do.
    pub fn script_file(&self) -> Option<&str> {
        let file = &self.made_from.setup.as_ref()?.file;
        self.shared.checkout.files().iter().find(|known| *known == file).map(String::as_str)
    }

    /// The same function where lines of that script are changed in memory: the script's own text alone makes the tokenizer ready.
    ///
    /// # Errors
    /// As [`Self::with_edits`], and where the script makes no tokenizer any more.
    pub fn with_script_edits(&self, edits: &[LineEdit]) -> Result<Self> {
        let checkout = self.shared.checkout.clone().with_edits(edits)?;
        let setup = own_setup(&checkout, &read(&checkout)?, &self.entry);
        let MadeFrom { base, load, .. } = self.made_from.clone();
        let (entry, options) = (self.entry.clone(), self.options.clone());
        Self::with_limits(checkout, entry, base, load, setup.as_ref(), options, self.limits)
    }

    /// How it is called.
    pub fn options(&self) -> &CallOptions {
        &self.options
    }

    /// The tokenizer as the set-up lines left it.
    pub fn tokenizer(&self) -> Option<Arc<Tokenizer>> {
        self.shared.api.state(self.handle).map(|state| state.tokenizer)
    }

    /// How the set-up lines loaded the tokenizer; `None` where they took it as given.
    pub fn last_load(&self) -> Option<Loading> {
        self.shared.api.last_load()
    }

    /// Runs the function on a sample.
    ///
    /// # Errors
    /// The sandbox was ended: time, memory, or the user.
    pub fn run(&self, sample: &Sample) -> std::result::Result<FunctionRun, SandboxError> {
        // A function that does not end would take its whole time for every sample of a data set.
        if self.timeouts.load(Ordering::Relaxed) >= MOST_TIMEOUTS {
            return Err(SandboxError::Time(self.limits.time));
        }
        let request = json!({"op": "run", "sample": self.sample_request(sample)});
        let mut sandbox = match self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(sandbox) => sandbox,
            None => self.started().map_err(|error| SandboxError::Start(error.to_string()))?.0,
        };
        match sandbox.request(&request, &mut Answers(&self.shared)) {
            Ok(answer) => {
                self.give_back(sandbox);
                Ok(run_of(&answer))
            }
            Err(error) => {
                if matches!(error, SandboxError::Time(_)) {
                    self.timeouts.fetch_add(1, Ordering::Relaxed);
                }
                Err(error)
            }
        }
    }

    /// A sample as the driver takes it.
    pub(super) fn sample_request(&self, sample: &Sample) -> Value {
        let has_image = sample.has_image && (self.entry.takes_videos || !sample.has_only_video);
        let conversations: Vec<Value> =
            sample.conversations.iter().map(|turn| json!({"from": turn.from, "value": turn.value})).collect();
        json!({
            "id": sample.id, "conversations": conversations, "has_image": has_image,
            "has_video": self.entry.takes_videos && sample.has_only_video,
        })
    }

    /// The request that a child begins with.
    pub(super) fn start_request(&self) -> &Value {
        &self.start
    }

    fn give_back(&self, sandbox: Sandbox) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox);
    }

    fn started(&self) -> Result<(Sandbox, Value)> {
        let part = |error: SandboxError| Error::Part(Box::new(error));
        let mut sandbox = Sandbox::start(self.limits).map_err(part)?;
        let answer = sandbox.request(&self.start, &mut Answers(&self.shared)).map_err(part)?;
        if let Some(error) = answer.get("error") {
            let raised = Raised::deserialize(error).ok();
            let text = raised.map_or_else(|| error.to_string(), |raised| raised.to_string());
            return Err(Error::Usage(format!("{}: {text}", self.shared.checkout.root().display())));
        }
        Ok((sandbox, answer))
    }
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        match self.kind.as_str() {
            "NotAvailable" => write!(f, "{}", self.message),
            kind if self.message.is_empty() => write!(f, "{kind}"),
            kind => write!(f, "{kind}: {}", self.message),
        }
    }
}

impl From<Raised> for PythonError {
    fn from(raised: Raised) -> Self {
        PythonError::new(raised.kind, raised.message)
    }
}

fn longest(tokenizer: &Tokenizer) -> u64 {
    u64::try_from(tokenizer.facts.model_max_length).unwrap_or(u64::MAX).min(TRAINING_MAX_LENGTH)
}

/// What the arguments of a training script are known to be, under the names that the scripts give them.
fn setup_names(entry: &DispatchEntry, options: &CallOptions, base: &Tokenizer) -> Value {
    let longest = longest(base);
    let mut names = json!({
        "model_args": {
            "version": entry.version, "model_name_or_path": options.model_name, "llm_path": options.model_name,
            "mm_use_im_start_end": options.mm_use_im_start_end, "use_fast_tokenizer": false,
        },
        "training_args": {"model_max_length": longest},
        "data_args": {"max_seq_length": longest, "conv_style": entry.version},
    });
    // Which of the three a script keeps an argument in is its own affair.
    for group in names.as_object_mut().into_iter().flat_map(|names| names.values_mut()) {
        for (name, text) in &options.script_arguments {
            let value = serde_json::from_str(text).unwrap_or_else(|_| match text.as_str() {
                "True" => Value::Bool(true),
                "False" => Value::Bool(false),
                "None" => Value::Null,
                text => text.into(),
            });
            if let Some(group) = group.as_object_mut() {
                group.insert(name.clone(), value);
            }
        }
    }
    names
}

/// The set-up lines, one piece a statement.
fn setup_pieces(code: &SetupCode) -> Result<Vec<Value>> {
    let found = pieces(&code.text, &code.file).map_err(Error::Usage)?;
    Ok(found
        .into_iter()
        .map(|piece| match piece.get("kind").and_then(Value::as_str) {
            // An import among the lines is run like any other.
            Some("import") => json!({"text": import_text(&piece)}),
            Some("from") => json!({"text": from_text(&piece)}),
            _ => piece,
        })
        .collect())
}

fn import_text(piece: &Value) -> String {
    let text = |key: &str| piece.get(key).and_then(Value::as_str).unwrap_or_default();
    match piece.get("as").and_then(Value::as_str) {
        Some(bound) => format!("import {} as {bound}", text("module")),
        None => format!("import {}", text("module")),
    }
}

fn from_text(piece: &Value) -> String {
    let text = |key: &str| piece.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("name") {
        "*" => format!("from {} import *", text("module")),
        name => format!("from {} import {name} as {}", text("module"), text("as")),
    }
}

struct Answers<'a>(&'a Shared);

impl Host for Answers<'_> {
    fn answer(&mut self, question: &Value) -> Value {
        let text = |key: &str| question.get(key).and_then(Value::as_str);
        match text("ask") {
            Some("module") => self.0.module(text("name").unwrap_or_default(), text("importer")),
            Some("listdir") => json!({"names": self.0.checkout.list(text("path").unwrap_or_default())}),
            _ => {
                let unknown = || json!({"raise": ["NotAvailable", "the sandbox asked for something that is not known"]});
                self.0.api.answer(question).unwrap_or_else(unknown)
            }
        }
    }
}

impl Shared {
    fn module(&self, name: &str, importer: Option<&str>) -> Value {
        let found = self.checkout.module(name, importer);
        let found = found.or_else(|| self.checkout.overlay(name, importer).map(|file| (file, false)));
        let Some((file, is_package)) = found else {
            if let Some(folder) = self.checkout.namespace(name, importer) {
                return json!({"code": [], "file": format!("{folder}/__init__.py"), "is_package": true});
            }
            return json!({"code": null, "why": "is not in the repository, and not available in the sandbox"});
        };
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let code = modules.entry(file.to_string()).or_insert_with(|| {
            let text = self.checkout.read(file).map_err(|error| error.to_string())?;
            pieces(&text, file).map(Value::Array)
        });
        match code {
            Ok(code) => json!({"code": code, "file": file, "is_package": is_package}),
            Err(why) => json!({"code": null, "why": format!("cannot be read: {why}")}),
        }
    }
}

fn run_of(answer: &Value) -> FunctionRun {
    let numbers = |key: &str| {
        let values = answer.get(key)?.as_array()?;
        values.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>()
    };
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(String::from);
    let result = match (answer.get("error"), numbers("input_ids"), numbers("labels")) {
        (None, Some(ids), Some(labels)) => Ok((ids, labels)),
        (error, ..) => {
            Err(error.and_then(|error| Raised::deserialize(error).ok()).unwrap_or_else(|| Raised {
                kind: "NotAvailable".into(),
                message: "the function left no ids and labels".into(),
                place: None,
            }))
        }
    };
    let trace = answer.get("trace").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    FunctionRun {
        result,
        printed: text("printed").unwrap_or_default(),
        prompt: text("prompt"),
        trace: trace.iter().filter_map(event).collect(),
    }
}

fn event(event: &Value) -> Option<Event> {
    let at = |index: usize| event.get(index);
    let file = at(1)?.as_str()?.to_string();
    let line = usize::try_from(at(2)?.as_u64()?).ok()?;
    match at(0)?.as_str()? {
        "set" => Some(Event::Set { file, line, name: at(3)?.as_str()?.to_string(), value: at(4)?.as_i64() }),
        "slice" => {
            let (start, end) = (at(3)?.as_i64()?, at(4)?.as_i64()?);
            Some(Event::Slice { file, line, start, end, value: at(5)?.as_i64() })
        }
        _ => None,
    }
}
