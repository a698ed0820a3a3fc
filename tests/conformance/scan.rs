//! `golden/labels/*.jsonl.gz` once more: a scan's counts by state are those of the golden records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use maskscope::data::{Record, RecordSource, Records};
use maskscope::labels::PromptOptions;
use maskscope::scan::{ScanMode, Scanner};
use maskscope::setup::{LabelChoice, RecipeChoice, Request, Setup, apply, resolve};
use maskscope::tokenizer::Tokenizer;
use serde_json::Value;

use crate::labels::{load_for, overrides_of};
use crate::{assert_checked, files, only, records, root};

/// Counts and sums that a golden record fixes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    by_state: BTreeMap<String, u64>,
    tokens: u64,
    supervised: u64,
}

impl Counts {
    fn add(&mut self, record: &Value) {
        // The records are of the label function; the collator cuts its labels.
        let kept = PromptOptions::default().model_max_length as u64;
        let end = |span: &Value, at: usize| span[at].as_u64().unwrap().min(kept);
        let supervised: u64 = record["supervised"]
            .as_array()
            .map_or(0, |spans| spans.iter().map(|span| end(span, 1) - end(span, 0)).sum());
        let state = match record.get("error") {
            Some(error) if !error.is_null() => "raises",
            _ if record["mismatch"] == true => "mismatch",
            _ if supervised == 0 => "silent",
            _ => "sound",
        };
        *self.by_state.entry(state.to_string()).or_default() += 1;
        self.tokens += record["n"].as_u64().unwrap_or(0);
        self.supervised += supervised;
    }
}

/// The set-up of a golden record, for a tokenizer that has its overrides already.
fn setup(tokenizer: &Arc<Tokenizer>, record: &Value) -> Setup {
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_string();
    let preprocess = match text("preprocess").as_str() {
        "dispatch" => LabelChoice::Auto,
        name => name.parse().expect("a rule"),
    };
    let request = Request {
        template: text("template").as_str().into(),
        preprocess,
        recipe: RecipeChoice::None,
        model_max_length: Some(PromptOptions::default().model_max_length),
        mm_use_im_start_end: record["mm_use_im_start_end"].as_bool().unwrap_or(false),
        ..Request::default()
    };
    resolve(tokenizer, &request).expect("the set-up")
}

/// Scans the samples of each group of records that differ in the sample only.
fn check_file(root: &Path, path: &Path, data: &BTreeMap<String, Record>) -> (usize, Vec<String>) {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records(path) {
        let of = |key: &str| record[key].to_string();
        let keys = ["tokenizer", "loader_kw", "overrides", "template", "preprocess", "mm_use_im_start_end"];
        let key: Vec<String> = keys.into_iter().map(of).collect();
        groups.entry(key.join(" ")).or_default().push(record);
    }
    let mut tokenizers: BTreeMap<String, Arc<Tokenizer>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, records) in &groups {
        let first = &records[0];
        let key = format!("{} {} {}", first["tokenizer"], first["loader_kw"], first["overrides"]);
        let tokenizer = tokenizers.entry(key).or_insert_with(|| {
            let base = load_for(root, first);
            Arc::new(apply(&base, &overrides_of(&base, first)).expect("the overrides apply").0)
        });
        let scanner = Scanner::new(Arc::new(setup(tokenizer, first)), None, None);
        let scanner = scanner.with_mode(ScanMode::Quick { verify: 1.0 });
        let mut expected = Counts::default();
        records.iter().for_each(|record| expected.add(record));
        let samples: Vec<Record> =
            records.iter().map(|record| data[record["sample_id"].as_str().unwrap()].clone()).collect();
        let report = scanner.scan(&samples).expect("scans").report;
        let actual =
            Counts { by_state: report.by_state, tokens: report.tokens, supervised: report.supervised };
        if expected != actual || report.samples != records.len() as u64 || report.bad_records > 0 {
            wrong.push(format!("{name}\n  expected {expected:?}\n  actual   {actual:?}"));
        }
    }
    (groups.len(), wrong)
}

fn check_folder(root: &Path, dir: &Path, only: &str) {
    let source = RecordSource::File(dir.join("conversations.json"));
    let data: BTreeMap<String, Record> = Records::open(&source)
        .expect("the samples")
        .map(|record| {
            let record = record.expect("a record");
            let value: Value = serde_json::from_slice(&record.bytes).expect("JSON");
            (value["id"].as_str().expect("an id").to_string(), record)
        })
        .collect();
    let (mut failed, mut checked) = (Vec::new(), 0);
    for path in files(dir, &[".jsonl.gz", ".jsonl"]) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("prompts.") || name.starts_with("collator.") || !name.contains(only) {
            continue;
        }
        let (count, wrong) = check_file(root, &path, &data);
        checked += count;
        println!("scan    {name}: {} of {count} set-ups", count - wrong.len());
        if let Some(first) = wrong.first() {
            failed.push(format!("{name}: {} of {count} differ, first:\n{first}", wrong.len()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert_checked(checked, dir, only);
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn counts_of_a_scan() {
    let root = root();
    let only = only();
    check_folder(&root, &root.join("golden/labels"), &only);
}

#[test]
fn counts_of_a_scan_of_the_extract() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    check_folder(&dir, &dir, "");
}
