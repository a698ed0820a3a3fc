//! `golden/repos/*.jsonl.gz`: what the unmodified label functions of public repositories make of samples, under the real
//! transformers, against the same functions read from a checkout and run in the sandbox.
//!
//! `MASKSCOPE_REPOSITORIES=DIR` names the folder with the checkouts (`DIR/LLaVA`, …) at the commits of the records: public
//! code, which is never committed here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use maskscope::chat::{Sample, Template, read_samples};
use maskscope::data::{Record, RecordSource, Records};
use maskscope::labelling::{Labelling, RepositoryLabelling};
use maskscope::labels::{IGNORE_INDEX, PromptOptions, Rule, inspect};
use maskscope::repository::{
    CallOptions, Checkout, FunctionChoice, FunctionRun, Raised, Reading, RepositoryFunction, SetupCode, find,
    read,
};
use maskscope::scan::{ScanMode, Scanner};
use maskscope::setup::Setup;
use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Release, Tokenizer, load};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{assert_checked, files, only, records, root};

/// Characters of what was printed that a record keeps.
const KEPT: usize = 400;

fn function(
    root: &Path,
    checkout: &Checkout,
    reading: &Reading,
    record: &Value,
) -> maskscope::Result<RepositoryFunction> {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let version = Some(text("version").to_string()).filter(|version| !version.is_empty());
    let mut entry = find(checkout, reading, &FunctionChoice { version: version.clone(), function: None });
    let is_of_file = entry.as_ref().is_ok_and(|entry| entry.file == text("file"));
    // A class finds its template by the version; a repository with two training scripts needs the file's name.
    if !is_of_file && !text("function").contains('.') && !text("file").ends_with("dataset.py") {
        let function = Some(format!("{}:preprocess", text("file")));
        entry = find(checkout, reading, &FunctionChoice { version, function });
    }
    let loader = if text("slow_fast") == "fast" { Loader::Fast } else { Loader::Slow };
    let (release, _) = Release::parse(text("transformers_version")).expect("a release");
    let options = LoadOptions { loader: Some(loader), release, ..LoadOptions::default() };
    let files = FileSet::folder(&root.join("tokenizers").join(text("tokenizer")))?;
    let base = load(text("tokenizer"), &files, options)
        .or_else(|_| load(text("tokenizer"), &files, LoadOptions { loader: None, ..options }))?;
    let lines: Vec<&str> =
        record["setup"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    let setup = SetupCode { text: lines.join("\n") + "\n", file: "setup".into() };
    let call = CallOptions {
        mm_use_im_start_end: text("note").contains("mm_use_im_start_end=True"),
        image_tokens: 4,
        transformers: Some(text("transformers_version").to_string()),
        ..CallOptions::default()
    };
    RepositoryFunction::new(checkout.clone(), entry?, Arc::new(base), options, Some(&setup), call)
}

/// What a record says, and the same of a run.
fn expected(record: &Value) -> Value {
    let keys = ["input_ids", "supervised", "other", "mismatch", "warning", "error", "error_message"];
    keys.iter().map(|key| (key.to_string(), record[key].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn actual(run: &FunctionRun) -> Value {
    let printed: String = run.printed.trim_end_matches('\n').chars().take(KEPT).collect();
    let warning = if run.printed.is_empty() { Value::Null } else { json!(printed) };
    match &run.result {
        Err(raised) => json!({
            "input_ids": null, "supervised": null, "other": null, "mismatch": run.printed.contains("mismatch"),
            "warning": warning, "error": raised.kind, "error_message": raised.message,
        }),
        Ok((ids, labels)) => {
            let mut supervised: Vec<[usize; 2]> = Vec::new();
            let mut other = Vec::new();
            for (at, (id, label)) in ids.iter().zip(labels).enumerate() {
                if label == id {
                    match supervised.last_mut() {
                        Some(last) if last[1] == at => last[1] = at + 1,
                        _ => supervised.push([at, at + 1]),
                    }
                } else if *label != IGNORE_INDEX {
                    other.push(json!([at, label]));
                }
            }
            json!({
                "input_ids": ids, "supervised": supervised, "other": other, "mismatch": run.printed.contains("mismatch"),
                "warning": warning, "error": null, "error_message": null,
            })
        }
    }
}

fn sha16(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Counts {
    right: usize,
    all: usize,
    prompts: usize,
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE, and MASKSCOPE_REPOSITORIES: a folder of checkouts"]
fn repos() {
    let root = root();
    let repos = std::env::var_os("MASKSCOPE_REPOSITORIES")
        .expect("MASKSCOPE_REPOSITORIES names a folder of checkouts");
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    let wanted = only();
    let samples =
        read_samples(&root.join("golden/labels/conversations.json"), None).expect("samples").samples;
    let samples: BTreeMap<&str, &Sample> =
        samples.iter().map(|sample| (sample.id.as_str(), sample)).collect();
    let mut checkouts: BTreeMap<String, (Checkout, Reading)> = BTreeMap::new();
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut failed = Vec::new();
    for path in files(&root.join("golden/repos"), &[".jsonl.gz"]) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        let records = records(&path);
        let repo = records[0]["repo"].as_str().expect("a name").to_string();
        let (checkout, reading) = checkouts.entry(repo.clone()).or_insert_with(|| {
            let checkout = Checkout::open(&Path::new(&repos).join(&repo)).expect("a checkout");
            let reading = read(&checkout).expect("is read");
            (checkout, reading)
        });
        let count = counts.entry(repo).or_default();
        count.all += records.len();
        let function = match function(&root, checkout, reading, &records[0]) {
            Ok(function) => function,
            Err(error) => {
                failed.push(format!("{name}: {} records: {error}", records.len()));
                continue;
            }
        };
        let (mut right, mut first) = (0, None);
        for record in &records {
            let sample = samples[record["sample_id"].as_str().expect("an id")];
            let (run, expected) = (function.run(sample), expected(record));
            let got = match &run {
                Ok(run) => actual(run),
                Err(error) => json!(error.to_string()),
            };
            if got == expected {
                right += 1;
            } else if first.is_none() {
                first = Some(format!(
                    "{} {}\n  expected {expected}\n  actual   {got}",
                    name, record["sample_id"]
                ));
            }
            if let (Ok(run), Some(hash)) = (&run, record["prompt"].as_str()) {
                count.prompts += usize::from(run.prompt.as_deref().map(sha16).as_deref() != Some(hash));
            }
        }
        count.right += right;
        println!("{name}: {right} of {}", records.len());
        failed.extend(first.map(|first| format!("{right} of {}: {first}", records.len())));
    }
    assert_checked(counts.values().map(|count| count.all).sum(), &root.join("golden/repos"), &wanted);
    for (repo, count) in &counts {
        println!("repos {repo}: {} of {}, {} other prompts", count.right, count.all, count.prompts);
    }
    assert!(failed.is_empty(), "{} files differ\n{}", failed.len(), failed.join("\n"));
}

/// Times that the conversations stand in the data: a scan holds only the first of them against the function.
const COPIES: u64 = 2;

fn setup(function: RepositoryFunction) -> Setup {
    let options = PromptOptions { model_max_length: function.max_length(), ..PromptOptions::default() };
    let tokenizer = function.tokenizer().expect("a tokenizer");
    Setup {
        base: tokenizer.clone(),
        tokenizer,
        labelling: Labelling::Repository(RepositoryLabelling::new(Arc::new(function), options)),
        recipe: None,
        overrides: Vec::new(),
        effects: Vec::new(),
        notes: Vec::new(),
    }
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE, and MASKSCOPE_REPOSITORIES: a folder of checkouts"]
fn scans_with_functions_of_repositories() {
    let root = root();
    let repos = std::env::var_os("MASKSCOPE_REPOSITORIES")
        .expect("MASKSCOPE_REPOSITORIES names a folder of checkouts");
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    let wanted = only();
    let source = RecordSource::File(root.join("golden/labels/conversations.json"));
    let once: Vec<Record> =
        Records::open(&source).expect("the samples").map(|record| record.expect("a record")).collect();
    let mut data = Vec::new();
    for copy in 0..COPIES {
        for record in &once {
            let mut record = record.clone();
            record.place.index += copy * once.len() as u64;
            data.push(record);
        }
    }
    let (mut checked, mut fast, mut failed) = (0, 0, Vec::new());
    for path in files(&root.join("golden/repos"), &[".jsonl.gz"]) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        let first = &records(&path)[0];
        let checkout = Checkout::open(&Path::new(&repos).join(first["repo"].as_str().expect("a name")))
            .expect("a checkout");
        let reading = read(&checkout).expect("is read");
        let setup = Arc::new(setup(function(&root, &checkout, &reading, first).expect("a function")));
        let quick = Scanner::new(setup.clone(), None, None);
        checked += 1;
        if let Some(reason) = quick.slow_because() {
            println!("scan {name}: in full: {reason}");
            continue;
        }
        fast += 1;
        let (fast, full) = (
            quick.scan(&data).expect("scans"),
            Scanner::new(setup, None, None).with_mode(ScanMode::Reference),
        );
        let full = full.scan(&data).expect("scans");
        println!("scan {name}: {} of {} by the rule", fast.tallied, data.len());
        if json!(fast.report) != json!(full.report) || fast.statuses != full.statuses {
            failed.push(name);
        }
    }
    println!("scan {fast} of {checked} functions are counted by a rule");
    assert_checked(fast, &root.join("golden/repos"), &wanted);
    assert!(failed.is_empty(), "{} reports differ: {}", failed.len(), failed.join(", "));
}

/// A repository, one of its functions and a template → the template and the rule that are built in.
const BUILT_IN: [(&str, &str, &str, &str, Rule); 9] = [
    ("Bunny", "preprocess_bunny", "bunny", "bunny", Rule::Bunny),
    ("Bunny", "preprocess_bunny", "phi3", "bunny_phi3", Rule::Bunny),
    ("Bunny", "preprocess_bunny_with_bos", "phi3", "bunny_phi3", Rule::BunnyWithBos),
    ("Bunny", "preprocess_bunny_with_bos", "minicpm", "bunny_minicpm", Rule::BunnyWithBos),
    ("Bunny", "preprocess_bunny_with_bos", "llama", "bunny_llama", Rule::BunnyWithBos),
    ("LLaVA", "preprocess_mpt", "chatml_direct", "chatml_direct", Rule::LlavaMpt),
    ("LLaVA", "preprocess_mpt", "mpt", "llava_mpt", Rule::LlavaMpt),
    ("LLaVA-pp", "preprocess_llama3", "llama3", "llavapp_llama3", Rule::LlavappLlama3),
    ("LLaVA-pp", "preprocess_phi3", "phi3_instruct", "phi3_instruct", Rule::LlavappPhi3),
];

/// The tokenizer that the lines of a record make: the sandbox runs them, in a folder that holds nothing else.
fn tokenizer(root: &Path, record: &Value) -> Arc<Tokenizer> {
    let folder = tempfile::tempdir().expect("a folder");
    let code = "def preprocess(sources, tokenizer, has_image=False):\n    return None\n";
    std::fs::write(folder.path().join("dataset.py"), code).expect("is written");
    let checkout = Checkout::open(folder.path()).expect("a checkout");
    let reading = read(&checkout).expect("is read");
    let mut record = record.clone();
    (record["version"], record["file"]) = (Value::Null, json!("dataset.py"));
    function(root, &checkout, &reading, &record).expect("a function").tokenizer().expect("a tokenizer")
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn built_in_rules_of_the_family() {
    let root = root();
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    let wanted = only();
    let samples =
        read_samples(&root.join("golden/labels/conversations.json"), None).expect("samples").samples;
    let samples: BTreeMap<&str, &Sample> =
        samples.iter().map(|sample| (sample.id.as_str(), sample)).collect();
    let (mut checked, mut failed) = (0, Vec::new());
    for path in files(&root.join("golden/repos"), &[".jsonl.gz"]) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        let records = records(&path);
        let of = |key: &str| records[0][key].as_str().unwrap_or_default();
        let known = BUILT_IN.iter().find(|(repo, function, version, ..)| {
            (*repo, *function, *version) == (of("repo"), of("function"), of("version"))
                && name.contains(&wanted)
        });
        let Some((.., template, rule)) = known else { continue };
        let (tokenizer, template) =
            (tokenizer(&root, &records[0]), Template::named(template).expect("a template"));
        let longest = usize::try_from(tokenizer.facts.model_max_length).unwrap_or(usize::MAX).min(2048);
        let options = PromptOptions { model_max_length: longest, ..PromptOptions::default() };
        let mut right = 0;
        for record in &records {
            let sample = samples[record["sample_id"].as_str().expect("an id")];
            let sample = Sample { has_image: sample.has_image && !sample.has_only_video, ..sample.clone() };
            let inspection = inspect(&tokenizer, &template, *rule, &options, &sample);
            let run = FunctionRun {
                printed: inspection.result.as_ref().ok().and_then(|l| l.warning.clone()).unwrap_or_default(),
                result: match inspection.result {
                    Ok(labelled) => Ok((labelled.input_ids, labelled.labels)),
                    Err(error) => {
                        Err(Raised { kind: error.kind.into_owned(), message: error.message, place: None })
                    }
                },
                prompt: inspection.prompt,
                trace: Vec::new(),
            };
            if actual(&run) == expected(record) {
                right += 1;
            } else if failed.len() < 10 {
                failed.push(format!(
                    "{name} {}\n  expected {}\n  actual   {}",
                    record["sample_id"],
                    expected(record),
                    actual(&run)
                ));
            }
        }
        println!("built in {name}: {right} of {}", records.len());
        checked += records.len();
    }
    assert_checked(checked, &root.join("golden/repos"), &wanted);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
