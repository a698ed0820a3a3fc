//! `golden/trainers`: what the trainers' own code makes of each row, record by record.
//!
//! Works on any folder of that layout: files are listed, options are read from the records, and every key of a record
//! is compared. A file of a trainer that no test here runs fails [`every_file_is_run`] unless [`SKIPPED`] says why.

mod nanochat;
mod openrlhf;
mod renderers;
mod swift;
mod torchtune;
mod trl;
mod verl;
mod xtuner;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use maskscope::chat::jinja::ChatTemplate;
use maskscope::masks::MaskError;
use maskscope::masks::trainers::{PreparedRow, Resources, TrainingSequence, runs};
use serde_json::{Map, Value, json};

use crate::chat::clock;
use crate::chat::records::json_lines;
use crate::chat::tokenizer::{TestTokenizer, Tokenizers};

/// First parts of the names of files that a test here runs.
const RUN: &[&str] = &[
    "trl.sft.",
    "trl.dpo.",
    "trl.pack.",
    "verl.multiturn.",
    "openrlhf.sft.",
    "openrlhf.dpo.",
    "swift.",
    "torchtune.sft.",
    "nanochat.render.",
    "renderers.",
    "xtuner.v1.",
];

/// Files that no test runs, with the reason.
const SKIPPED: &[(&str, &str)] = &[];

/// Keys that say what a record is of; every other key is a result.
const CONTEXT: &[&str] =
    &["trainer", "version", "function", "options", "tokenizer", "template", "kind", "row", "rows"];

/// A folder of goldens with its inputs.
pub struct Goldens {
    root: PathBuf,
    dir: PathBuf,
    rows: BTreeMap<String, Map<String, Value>>,
    tokenizers: Tokenizers,
    templates: RefCell<BTreeMap<String, Rc<ChatTemplate>>>,
}

impl Goldens {
    fn open() -> Self {
        let root = crate::root();
        let dir = root.join("golden/trainers");
        let mut rows = BTreeMap::new();
        let inputs = crate::files(&dir, &["inputs.jsonl", ".jsonl"]);
        let mut paths = vec![root.join("golden/chat/conversations.jsonl")];
        paths.extend(inputs.into_iter().filter(|path| file_name(path).starts_with("inputs")));
        for path in paths {
            for record in json_lines(&path) {
                let Value::Object(mut row) = record else { panic!("a row is an object") };
                let name = row.remove("row").or(row.remove("conv")).expect("a row has a name");
                rows.insert(name.as_str().unwrap().to_string(), row);
            }
        }
        let tokenizers = Tokenizers::new(&root);
        Self { root, dir, rows, tokenizers, templates: RefCell::default() }
    }

    /// A row as a data set holds it: without what is null, template variables under the name that TRL reads.
    fn row(&self, name: &str) -> Map<String, Value> {
        let mut row = self.rows.get(name).unwrap_or_else(|| panic!("no row {name}")).clone();
        row.retain(|_, value| !value.is_null());
        row.remove("kind");
        if let Some(Value::Object(kwargs)) = row.remove("kwargs")
            && !kwargs.is_empty()
        {
            row.insert("chat_template_kwargs".into(), Value::Object(kwargs));
        }
        row
    }

    /// The template of a file; none for a trainer's own format, which has a name alone.
    fn template(&self, name: &str) -> Option<Rc<ChatTemplate>> {
        if name.contains(':') || name == "nanochat" {
            return None;
        }
        let compile = || {
            let path = self.root.join(format!("golden/chat/templates/{name}.jinja"));
            Rc::new(ChatTemplate::new(name, &crate::read_text(&path), clock()).unwrap())
        };
        Some(self.templates.borrow_mut().entry(name.into()).or_insert_with(compile).clone())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_string()
}

/// One record with what its trainer was started with.
pub struct Case<'a> {
    pub goldens: &'a Goldens,
    pub record: &'a Value,
    /// The file's name up to its first three points: trainer, variant, template or tokenizer.
    pub file: Vec<String>,
    pub tokenizer: &'a TestTokenizer,
    pub template: Option<&'a ChatTemplate>,
}

impl Case<'_> {
    pub fn options(&self) -> &Map<String, Value> {
        self.record["options"].as_object().unwrap()
    }

    pub fn text(&self, key: &str) -> &str {
        self.record[key].as_str().unwrap_or_default()
    }

    pub fn row(&self) -> Map<String, Value> {
        self.goldens.row(self.text("row"))
    }

    /// The row as a conversation: prompt and completion are put together.
    pub fn messages_row(&self) -> Map<String, Value> {
        as_messages(self.row())
    }

    pub fn resources(&self) -> Resources<'_> {
        Resources {
            encoder: self.tokenizer,
            special_tokens: &self.tokenizer.special_tokens,
            template: self.template,
            clock: clock(),
        }
    }
}

/// Prompt and completion as one list of messages.
pub fn as_messages(mut row: Map<String, Value>) -> Map<String, Value> {
    if let (Some(Value::Array(prompt)), Some(Value::Array(completion))) =
        (row.get("prompt").cloned(), row.get("completion").cloned())
    {
        row.shift_remove("prompt");
        row.shift_remove("completion");
        row.insert("messages".into(), Value::Array([prompt, completion].concat()));
    }
    row
}

/// Tools as a list, whatever the row has: so the goldens of trainers that read no JSON text were made.
pub fn with_listed_tools(mut row: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::String(text)) = row.get("tools") {
        let tools = serde_json::from_str(text).unwrap();
        row.insert("tools".into(), tools);
    }
    row
}

/// A run of `true` as the goldens write it.
pub fn spans(flags: &[bool]) -> Value {
    runs(flags).iter().map(|span| json!([span.start, span.end])).collect()
}

/// The keys that every sequence has.
pub fn sequence(sequence: &TrainingSequence) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("input_ids".into(), json!(sequence.input_ids));
    out.insert("spans".into(), spans(&sequence.targets));
    out
}

/// The sequence of a row that a record is of: the one of its side, or the only one.
pub fn of_record<'p>(prepared: &'p PreparedRow, record: &Value) -> Option<&'p TrainingSequence> {
    let side = record["side"].as_str();
    let mut found =
        prepared.sequences.iter().filter(|sequence| sequence.side.map(|side| side.name()) == side);
    found.next()
}

/// What a row became, in the keys of a record; `more` adds those of one trainer.
pub fn result(
    prepared: &PreparedRow,
    record: &Value,
    more: impl Fn(&TrainingSequence, &mut Map<String, Value>),
) -> Map<String, Value> {
    if prepared.dropped.is_some() {
        return Map::from_iter([("dropped".to_string(), json!(true))]);
    }
    let Some(found) = of_record(prepared, record) else {
        return Map::from_iter([("no sequence of this side".to_string(), record["side"].clone())]);
    };
    let mut out = sequence(found);
    if let Some(side) = found.side {
        out.insert("side".into(), json!(side.name()));
    }
    more(found, &mut out);
    out
}

fn error(error: &MaskError) -> Map<String, Value> {
    let (kind, message) = match error.exception() {
        Some(exception) => (exception.kind.to_string(), exception.message.clone()),
        None => ("no exception".to_string(), error.to_string()),
    };
    let message: String = message.chars().take(300).collect();
    Map::from_iter([("error".into(), json!(kind)), ("error_message".into(), json!(message))])
}

/// Python writes the weights 0 and 0.0; they are the same number.
fn with_float_weights(record: &Map<String, Value>) -> Map<String, Value> {
    let value = |(key, value): (&String, &Value)| {
        let value = match (key.as_str(), value) {
            ("weights", Value::Array(weights)) => {
                weights.iter().map(|weight| json!(weight.as_f64())).collect()
            }
            ("pieces", Value::Array(pieces)) => pieces
                .iter()
                .map(|piece| Value::Object(with_float_weights(piece.as_object().unwrap())))
                .collect(),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    record.iter().map(value).collect()
}

/// Runs `label` on every record of the files whose name begins with `prefix`; panics where one is not as expected.
pub fn check(prefix: &str, label: impl Fn(&Case) -> Result<Map<String, Value>, MaskError>) {
    let goldens = Goldens::open();
    let (mut wrong, mut shown) = (0, Vec::new());
    let most = std::env::var("MISSES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let only = std::env::var("ONLY").unwrap_or_default();
    for path in files(&goldens.dir).into_iter().filter(|path| file_name(path).starts_with(prefix)) {
        if !file_name(&path).contains(&only) {
            continue;
        }
        let records = json_lines(&path);
        let mut missed = 0;
        for record in &records {
            let tokenizer = goldens.tokenizers.get(record["tokenizer"].as_str().unwrap());
            let template = record["template"].as_str().and_then(|name| goldens.template(name));
            let case = Case {
                goldens: &goldens,
                record,
                file: file_name(&path).split('.').map(ToString::to_string).collect(),
                tokenizer: &tokenizer,
                template: template.as_deref(),
            };
            let found = label(&case).unwrap_or_else(|e| error(&e));
            let mut differences = Vec::new();
            let expected = &with_float_weights(record.as_object().unwrap());
            let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
            for key in keys.filter(|key| !CONTEXT.contains(&key.as_str())) {
                // pydantic's text lists every type that was tried; ours says where.
                if key == "error_message" && expected.get("error") == Some(&json!("ValidationError")) {
                    continue;
                }
                let (found, expected) = (found.get(key), expected.get(key));
                if found != expected {
                    let text = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
                    differences.push(format!("\n    {key}: {}\n    not  {}", text(found), text(expected)));
                }
            }
            if !differences.is_empty() {
                missed += 1;
                if shown.len() < most {
                    let options = &record["options"];
                    shown.push(format!(
                        "{} {} {options}{}",
                        file_name(&path),
                        record["row"],
                        differences.concat()
                    ));
                }
            }
        }
        eprintln!("{}: {} of {} records", file_name(&path), records.len() - missed, records.len());
        wrong += missed;
    }
    assert_eq!(wrong, 0, "{wrong} records of {prefix} differ:\n{}", shown.join("\n"));
}

fn files(dir: &Path) -> Vec<PathBuf> {
    crate::files(dir, &[".jsonl.gz"])
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn every_file_is_run() {
    let goldens = Goldens::open();
    for path in files(&goldens.dir) {
        let name = file_name(&path);
        if let Some((_, reason)) = SKIPPED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            eprintln!("SKIPPED {name}: {reason}");
            continue;
        }
        assert!(RUN.iter().any(|prefix| name.starts_with(prefix)), "no test runs {name}");
    }
}
