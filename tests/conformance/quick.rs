//! The quick way of a scan against goldens and against the reference way: ids, and whole reports.

use std::path::Path;
use std::sync::Arc;

use maskscope::data::{Record, RecordSource, Records};
use maskscope::scan::{ScanMode, Scanner};
use maskscope::setup::{Request, load_tokenizer, resolve};
use maskscope::tokenizer::{CachedEncoder, LoadOptions, Loader, TokenId, WordCache};
use serde_json::{Value, json};

use crate::strings::load_named;
use crate::{files, read_text, records, root};

/// Records of the bench set that both ways label; all 5,000 with `MASKSCOPE_BENCH_RECORDS=5000`.
const RECORDS: usize = 400;

fn ids_of(value: &Value) -> Vec<TokenId> {
    serde_json::from_value(value.clone()).expect("ids")
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn quick_ids_of_strings() {
    let root = root();
    let (mut checked, mut sure) = (0, 0);
    for path in files(&root.join("golden/strings"), &[".jsonl.gz", ".jsonl"]) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let name = file.trim_start_matches("strings.").trim_end_matches(".gz").trim_end_matches(".jsonl");
        let Ok(tokenizer) = load_named(&root, name) else { continue };
        let encoder = match CachedEncoder::new(&Arc::new(tokenizer)) {
            Ok(encoder) => encoder,
            Err(reason) => {
                println!("quick   {name}: refused, {reason}");
                continue;
            }
        };
        let mut words = WordCache::default();
        let mut unsure = 0;
        for record in records(&path) {
            let text = record["text"].as_str().expect("a text");
            // Once as new words, once as known ones.
            for _ in 0..2 {
                let mut ids = Vec::new();
                if encoder.encode(&mut words, text, false, &mut ids).is_err() {
                    unsure += 1;
                    continue;
                }
                assert_eq!(ids, ids_of(&record["ids_nospecial"]), "{name}: {text:?}");
                let whole = [encoder.before(), &ids, encoder.behind()].concat();
                assert_eq!(whole, ids_of(&record["ids"]), "{name}: {text:?}");
                sure += 1;
            }
            checked += 1;
        }
        println!("quick   {name}: {} texts left to the tokenizer", unsure / 2);
    }
    assert!(sure > checked, "most texts are encoded the quick way: {sure} of {}", 2 * checked);
}

/// Conversations made of the tricky strings: as questions and answers, with and without an image, over several rounds.
fn tricky(root: &Path) -> Vec<Record> {
    let strings: Vec<String> =
        serde_json::from_str(&read_text(&root.join("golden/strings/strings.json"))).expect("strings");
    let turn = |from: &str, value: &str| json!({"from": from, "value": value});
    let mut values = Vec::new();
    for (n, text) in strings.iter().enumerate() {
        let other = &strings[(n * 7 + 3) % strings.len()];
        let plain = [turn("human", text), turn("gpt", other), turn("human", "And then?"), turn("gpt", text)];
        values.push(json!({"id": n, "conversations": plain}));
        let question = format!("<image>\n{text}");
        let pair = [turn("human", &question), turn("gpt", &format!("3 {other}."))];
        values.push(json!({"conversations": pair, "image": "a.jpg", "source": text}));
    }
    let text: String = values.iter().map(|value| format!("{value}\n")).collect();
    let reader = Box::new(std::io::Cursor::new(text.into_bytes()));
    Records::new("tricky".to_string(), reader).map(|r| r.expect("a record")).collect()
}

fn read(path: &Path, most: usize) -> Vec<Record> {
    let records = Records::open(&RecordSource::File(path.to_path_buf())).expect("opens");
    records.take(most).map(|r| r.expect("a record")).collect()
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn both_ways_give_one_report() {
    let root = root();
    let most = std::env::var("MASKSCOPE_BENCH_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(RECORDS);
    let [bench] = &files(&root.join("golden/bench"), &[".json", ".json.gz"])[..] else {
        panic!("one bench set")
    };
    let bench = read(bench, most);
    let golden = read(&root.join("golden/labels/conversations.json"), usize::MAX);
    let tricky = tricky(&root);
    let set_ups = [
        ("phi2", Loader::Slow),
        ("phi2", Loader::Fast),
        ("qwen_v1", Loader::Slow),
        ("arcade100k", Loader::Slow),
        ("llama2", Loader::Slow),
        ("llama2", Loader::Fast),
        ("mistral_v01", Loader::Slow),
        ("mistral_v01", Loader::Fast),
    ];
    for (name, loader) in set_ups {
        let folder = root.join("tokenizers").join(name);
        let load = LoadOptions { loader: Some(loader), ..LoadOptions::default() };
        let request = Request { tokenizer: folder.display().to_string(), load, ..Request::default() };
        let base = load_tokenizer(&request, &mut |_| std::ops::ControlFlow::Continue(())).expect("loads");
        let setup = Arc::new(resolve(&base, &request).expect("a set-up"));
        for key in [None, Some("source".to_string())] {
            let has_key = key.is_some();
            let reference = Scanner::new(setup.clone(), key, None).with_mode(ScanMode::Reference);
            let quick = reference.clone().with_mode(ScanMode::Quick { verify: 1.0 });
            assert_eq!(quick.slow_because(), None, "{name} {}", loader.name());
            // Values of a key are counted in the small sets only: labelling in full takes long.
            let sets: &[&Vec<Record>] =
                if has_key { &[&golden, &tricky] } else { &[&bench, &golden, &tricky] };
            for records in sets.iter().copied() {
                let (one, other) =
                    (quick.scan(records).expect("scans"), reference.scan(records).expect("scans"));
                let text = |report| serde_json::to_string(report).expect("JSON");
                assert_eq!(text(&one.report), text(&other.report), "{name} {}", loader.name());
                assert_eq!(one.statuses, other.statuses);
                println!("ways    {name} {}: {} of {} tallied", loader.name(), one.tallied, records.len());
                let is_bench = std::ptr::eq(records, &bench);
                assert!(
                    !is_bench || one.tallied * 10 > records.len() * 9,
                    "most of the bench set is tallied"
                );
                assert_eq!(other.tallied, 0);
            }
        }
    }
}
