//! `golden/labels/*.jsonl.gz`: ids, labels, lengths, rounds, warnings and errors of whole samples.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use maskscope::chat::{Sample, Template, read_samples};
use maskscope::labels::{IGNORE_INDEX, Inspection, Labelled, LoopEnd, PromptOptions, Rule, inspect};
use maskscope::setup::{TokenChoice, apply};
use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Release, Role, Tokenizer, load};
use serde_json::{Value, json};

use crate::{assert_checked, files, only, records, root};

/// The overrides that a golden's name stands for (docs/labels.md, section 5, and the goldens' README).
pub fn overrides(tokenizer: &str, name: &str) -> Vec<(Role, TokenChoice)> {
    let surface = |t: &str| TokenChoice::Surface(t.to_string());
    let pad = (Role::Pad, TokenChoice::CopyOf(Role::Unk));
    match (tokenizer, name) {
        (_, "none") => vec![],
        (_, "pad_only") => vec![pad],
        (_, "pad_eos") => vec![(Role::Pad, TokenChoice::CopyOf(Role::Eos))],
        (_, "v0_pad") => vec![(Role::Pad, surface("[PAD]"))],
        ("phi2" | "qwen3_unkextra0", "train") => vec![(Role::Unk, surface("<|extra_0|>")), pad],
        ("qwen_v1", "train") => {
            vec![(Role::Unk, surface("<|extra_0|>")), (Role::Eos, surface("<|endoftext|>")), pad]
        }
        ("arcade100k", "train") => vec![(Role::Unk, surface("<|reg0|>")), pad],
        (_, "train") => vec![pad],
        (tokenizer, name) => panic!("no overrides known for {tokenizer} {name}"),
    }
}

/// The same for a record: v0's `[PAD]` is only added where the tokenizer has no pad token.
pub fn overrides_of(base: &Tokenizer, record: &Value) -> Vec<(Role, TokenChoice)> {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    match text("overrides") {
        "v0_pad" if base.special.get(Role::Pad).is_some() => vec![],
        name => overrides(text("tokenizer"), name),
    }
}

/// The tokenizer of a golden record, before overrides.
pub fn load_for(root: &Path, record: &Value) -> Tokenizer {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let loader = if text("slow_fast") == "fast" { Loader::Fast } else { Loader::Slow };
    let (release, _) = Release::parse(text("transformers_version")).expect("a release");
    let legacy = record["loader_kw"].get("legacy").and_then(Value::as_bool);
    let files = FileSet::folder(&tokenizer_folder(root, text("dir"))).expect("the tokenizer's folder");
    load(
        text("tokenizer"),
        &files,
        LoadOptions { loader: Some(loader), legacy, release, split_pattern: None },
    )
    .expect("loads")
}

/// The folder of a tokenizer: beside the goldens, or for the extract in this repository among the samples.
fn tokenizer_folder(root: &Path, dir: &str) -> PathBuf {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tokenizers");
    match dir {
        _ if root.join("tokenizers").exists() => root.join("tokenizers").join(dir),
        "phi2" => samples.join("phi-2"),
        "qwen_v1" => samples.join("qwen"),
        "arcade100k" => samples.join("stablelm-2"),
        "mistral_v01" => samples.join("mistral"),
        other => panic!("no sample tokenizer stands for {other}"),
    }
}

fn expected_result(record: &Value) -> Value {
    match record.get("error") {
        Some(kind) => json!({"error": kind, "error_message": record["error_message"]}),
        None => {
            let keys = [
                "n",
                "input_ids",
                "supervised",
                "mismatch",
                "warning",
                "kind",
                "total_len",
                "cur_len",
                "rounds",
                "stop",
            ];
            keys.iter().map(|k| (k.to_string(), record[*k].clone())).collect::<serde_json::Map<_, _>>().into()
        }
    }
}

fn actual_result(inspection: &Inspection, rule: Rule) -> Value {
    let labelled = match &inspection.result {
        Ok(labelled) => labelled,
        Err(e) => return json!({"error": e.kind, "error_message": e.message}),
    };
    let rounds: Vec<Value> = labelled.rounds.iter().map(|r| round(r, rule)).collect();
    // For v0 the goldens' total_len is the number of ids, which is what the rule has.
    json!({
        "n": labelled.input_ids.len(), "input_ids": labelled.input_ids, "supervised": spans(labelled),
        "mismatch": labelled.mismatch, "warning": labelled.warning, "kind": inspection.preprocess,
        "total_len": labelled.total_len, "cur_len": labelled.cur_len, "rounds": rounds, "stop": stop(&labelled.stop),
    })
}

fn round(round: &maskscope::labels::Round, rule: Rule) -> Value {
    match rule {
        Rule::V0 => json!({"len": round.round_len}),
        _ => json!({"round_len": round.round_len, "instruction_len": round.instruction_len}),
    }
}

fn stop(stop: &LoopEnd) -> Value {
    match stop {
        LoopEnd::End => json!("end"),
        LoopEnd::EmptyRound { round } => json!(format!("empty_round_{round}")),
        LoopEnd::Parts { round, parts } => json!(format!("parts_{parts}_round_{round}")),
        LoopEnd::NoLoop => Value::Null,
    }
}

fn spans(labelled: &Labelled) -> Vec<[usize; 2]> {
    let mut spans: Vec<[usize; 2]> = Vec::new();
    for (i, label) in labelled.labels.iter().enumerate().filter(|(_, l)| **l != IGNORE_INDEX) {
        assert_eq!(*label, labelled.input_ids[i]);
        match spans.last_mut() {
            Some(last) if last[1] == i => last[1] = i + 1,
            _ => spans.push([i, i + 1]),
        }
    }
    spans
}

fn check_file(
    root: &Path,
    path: &Path,
    samples: &HashMap<String, Sample>,
    prompts: &HashMap<String, String>,
) -> (usize, Vec<String>) {
    let mut tokenizers: BTreeMap<String, Tokenizer> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for record in records(path) {
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        let key = format!("{} {} {}", text("tokenizer"), record["loader_kw"], text("overrides"));
        let tokenizer = tokenizers.entry(key).or_insert_with(|| {
            let base = load_for(root, &record);
            apply(&base, &overrides_of(&base, &record)).expect("the overrides apply").0
        });
        let template = Template::named(text("template")).expect("the template");
        let rule = match text("preprocess") {
            "dispatch" => Rule::dispatch(&template),
            name => Rule::named(name).expect("the rule"),
        };
        let options = PromptOptions {
            mm_use_im_start_end: record["mm_use_im_start_end"].as_bool().unwrap_or(false),
            ..PromptOptions::default()
        };
        let inspection = inspect(tokenizer, &template, rule, &options, &samples[text("sample_id")]);
        let (mut expected, actual) = (expected_result(&record), actual_result(&inspection, rule));
        if rule == Rule::V0 && expected.get("error").is_none() {
            expected["cur_len"] = record["cur_len"].clone();
        }
        count += 1;
        let prompt_ok = record
            .get("prompt_sha")
            .is_none_or(|sha| inspection.prompt.as_ref() == prompts.get(sha.as_str().unwrap_or_default()));
        if expected != actual || !prompt_ok || inspection.has_image != record["has_image"] {
            let what = format!(
                "{} {} {} {}",
                text("tokenizer"),
                text("template"),
                text("preprocess"),
                text("sample_id")
            );
            wrong.push(format!("{what}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    (count, wrong)
}

fn read_prompts(dir: &Path) -> HashMap<String, String> {
    let mut prompts = HashMap::new();
    for path in files(dir, &["prompts.jsonl.gz", "prompts.jsonl"]) {
        for record in records(&path) {
            let text = |key: &str| record[key].as_str().expect("a string").to_string();
            prompts.insert(text("prompt_sha"), text("prompt"));
        }
    }
    prompts
}

/// Checks the files of `dir` whose name contains `only`; tokenizers are found from `root`.
fn check_folder(root: &Path, dir: &Path, only: &str) {
    let samples = read_samples(&dir.join("conversations.json"), None).expect("the samples").samples;
    let samples: HashMap<String, Sample> = samples.into_iter().map(|s| (s.id.clone(), s)).collect();
    let prompts = read_prompts(dir);
    let (mut failed, mut checked) = (Vec::new(), 0);
    for path in files(dir, &[".jsonl.gz", ".jsonl"]) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("prompts.") || name.starts_with("collator.") || !name.contains(only) {
            continue;
        }
        let (count, wrong) = check_file(root, &path, &samples, &prompts);
        checked += count;
        println!("labels  {name}: {} of {count}", count - wrong.len());
        if !wrong.is_empty() {
            failed.push(format!("{name}: {} of {count} differ, first:\n{}", wrong.len(), wrong[0]));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert_checked(checked, dir, only);
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn labels() {
    let root = root();
    let only = only();
    check_folder(&root, &root.join("golden/labels"), &only);
}

/// A small extract that is part of the repository, so that a fresh clone checks something too.
#[test]
fn labels_of_the_extract() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    check_folder(&dir, &dir, "");
}
