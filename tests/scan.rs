//! `maskscope scan` as a process: shards, merges, kills and resumes give the report of one run, byte for byte; Parquet
//! gives what JSON gives; the page shows hostile text as text.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn maskscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maskscope"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// Standard output of a scan that was carried out, whatever it found.
fn scan(arguments: &[&str]) -> String {
    let output = maskscope(&[&["scan", "-t", "sample:phi-2"], arguments].concat()).output().expect("runs");
    text(output)
}

fn text(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Conversations of all sorts: sound ones, empty answers, separators in the text, long ones, wrong speakers, and records
/// that are none.
fn record(n: usize) -> String {
    let answer = match n % 11 {
        3 => String::new(),
        5 => "It holds <|endoftext|> inside.".to_string(),
        7 => "many words ".repeat(900),
        _ => format!("Answer {n}, as asked. <img src=x onerror=alert(1)>\u{202e}"),
    };
    let speaker = if n % 13 == 12 { "system" } else { "human" };
    let mut turns = vec![
        json!({"from": speaker, "value": format!("Question {n}?")}),
        json!({"from": "gpt", "value": answer}),
    ];
    if n.is_multiple_of(3) {
        turns.extend([
            json!({"from": "human", "value": "And ASSISTANT: then?"}),
            json!({"from": "gpt", "value": "Then."}),
        ]);
    }
    match n % 17 {
        9 => "{\"id\": oops".to_string(),
        10 => json!({"id": n}).to_string(),
        _ => json!({"id": format!("id-{n}</script>"), "source": format!("<b>{}", n % 4), "conversations": turns}).to_string(),
    }
}

/// Two files: JSON lines, and a JSON array on many lines.
fn data(folder: &Path, records: usize) -> Vec<String> {
    let (lines, array) = (folder.join("a.jsonl"), folder.join("b.json"));
    let all: Vec<String> = (0..records).map(record).collect();
    let (first, second) = all.split_at(records / 2);
    std::fs::write(&lines, first.join("\n")).expect("written");
    let second: Vec<String> = second.iter().filter(|r| !r.contains("oops")).cloned().collect();
    std::fs::write(&array, format!("[\n{}\n]", second.join(",\n"))).expect("written");
    [lines, array].iter().map(|p| p.to_str().expect("UTF-8").to_string()).collect()
}

#[test]
fn shards_of_any_number_merge_into_the_report_of_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = data(folder.path(), 240);
    let parquet = "tests/parquet/rows.zstd.parquet";
    let shared =
        [files[0].as_str(), files[1].as_str(), parquet, "--source-key", "source", "--format", "json"];
    let whole = scan(&shared);
    let report = json_of(&whole);
    assert!(report["samples"].as_u64() > Some(200), "{report}");
    for key in ["sound", "mismatch", "raises"] {
        assert!(report["by_state"][key].as_u64() > Some(0), "{key}: {}", report["by_state"]);
    }
    assert!(report["by_cause"]["MSK013"]["samples"].as_u64() > Some(0), "{}", report["by_cause"]);
    assert!(report["bad_records"].as_u64() > Some(10));
    assert!(report["by_cause"]["MSK013"]["examples"][0]["mask"]["stretches"].is_array());
    assert!(report["drawn"]["lost"].as_array().map(Vec::len) > Some(20));
    for (shards, batch) in [(2, "2048"), (3, "7"), (5, "16")] {
        let parts: Vec<String> = (1..=shards)
            .rev()
            .map(|n| {
                let shard = format!("{n}/{shards}");
                let part = scan(&[&shared[..], &["--shard", &shard, "--batch", batch]].concat());
                let file = folder.path().join(format!("{n}-of-{shards}.json"));
                std::fs::write(&file, part).expect("written");
                file.to_str().expect("UTF-8").to_string()
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let merge = |form: &str| {
            text(
                maskscope(&[&["scan", "merge"], &parts[..], &["--format", form]].concat())
                    .output()
                    .expect("runs"),
            )
        };
        assert_eq!(merge("json"), whole, "{shards} shards, byte for byte");
        if shards == 3 {
            let page = scan(&[&shared[..shared.len() - 1], &["html"]].concat());
            assert_eq!(merge("html"), page, "the pages too");
        }
    }
    let other = scan(&["-d", &files[0], "--format", "json", "--model-max-length", "100"]);
    let path = folder.path().join("other.json");
    std::fs::write(&path, other).expect("written");
    let one = folder.path().join("1-of-2.json");
    let refused =
        maskscope(&["scan", "merge", one.to_str().unwrap(), path.to_str().unwrap()]).output().expect("runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("do not belong together"));
    // The same part twice, by its own name or as a copy.
    let one = one.to_str().unwrap();
    let refused = maskscope(&["scan", "merge", one, one]).output().expect("runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a part counts once"));
    let copy = folder.path().join("copy.json");
    std::fs::copy(one, &copy).expect("copied");
    let doubtful = maskscope(&["scan", "merge", one, copy.to_str().unwrap()]).output().expect("runs");
    assert!(String::from_utf8_lossy(&doubtful.stderr).contains("are equal; if they are one part"));
}

#[test]
fn folders_inside_a_folder_are_named_where_nobody_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("made");
    let row = r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#;
    std::fs::write(inner.join("a.json"), row).expect("written");
    let scan = || {
        maskscope(&["scan", "-t", "sample:phi-2", folder.path().to_str().unwrap()]).output().expect("runs")
    };
    let refused = scan();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("inner does"), "{refused:?}");
    std::fs::write(folder.path().join("b.json"), row).expect("written");
    let read = scan();
    assert!(String::from_utf8_lossy(&read.stdout).contains("1 samples"), "{read:?}");
    assert!(String::from_utf8_lossy(&read.stderr).contains("inner holds data files too"), "{read:?}");
}

struct Files {
    bad_ids: PathBuf,
    good: PathBuf,
    bad: PathBuf,
}

impl Files {
    fn new(folder: &Path, name: &str) -> Self {
        let file = |what: &str| folder.join(format!("{name}-{what}"));
        Self { bad_ids: file("bad.txt"), good: file("good.jsonl"), bad: file("bad.jsonl") }
    }

    fn arguments(&self) -> Vec<String> {
        let path = |p: &PathBuf| p.to_str().expect("UTF-8").to_string();
        let flags = ["--bad-ids", "--write-good", "--write-bad"];
        let paths = [path(&self.bad_ids), path(&self.good), path(&self.bad)];
        flags.into_iter().zip(paths).flat_map(|(flag, path)| [flag.to_string(), path]).collect()
    }

    fn contents(&self) -> [Vec<u8>; 3] {
        [&self.bad_ids, &self.good, &self.bad].map(|p| std::fs::read(p).expect("written"))
    }
}

/// Starts a scan and sends it a signal once its state is behind record `after`; gives how it ended, or `None` where it
/// was done before that.
fn end_behind(arguments: &[&str], state: &Path, after: u64, signal: &str) -> Option<ExitStatus> {
    let mut child = maskscope(&[&["scan", "-t", "sample:phi-2"], arguments].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let begun = Instant::now();
    loop {
        let number = std::fs::read(state)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()?["position"]["number"].as_u64());
        if number >= Some(after) {
            let kill =
                Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
            assert!(kill.success());
            return Some(child.wait().expect("ends"));
        }
        if child.try_wait().expect("is asked").is_some() {
            return None;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "the state never came to record {after}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(unix)]
#[test]
fn a_scan_that_is_killed_and_stopped_goes_on_to_the_same_report_and_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = data(folder.path(), 1500);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (once, killed) = (Files::new(folder.path(), "once"), Files::new(folder.path(), "killed"));
    let state = folder.path().join("killed-bad.txt.state");
    let arguments = |files: &Files, more: &[&str]| -> Vec<String> {
        let all =
            inputs.iter().chain(&["--source-key", "source", "--format", "json", "--batch", "16"]).chain(more);
        all.map(ToString::to_string).chain(files.arguments()).collect()
    };
    let at_once = arguments(&once, &[]);
    let whole = scan(&at_once.iter().map(String::as_str).collect::<Vec<_>>());
    let resumed = arguments(&killed, &["--state-every", "0", "--resume"]);
    let resumed: Vec<&str> = resumed.iter().map(String::as_str).collect();
    // In the first file, by Ctrl-C, and in the second file.
    for (after, signal, code) in [(200, "-KILL", None), (500, "-INT", Some(2)), (1000, "-KILL", None)] {
        let ended = end_behind(&resumed, &state, after, signal).expect("was not done before the signal");
        assert_eq!(ended.code(), code, "{signal}");
        let written = std::fs::metadata(&killed.good).expect("there").len();
        assert!(written < std::fs::metadata(&once.good).expect("there").len(), "killed in the middle");
    }
    // What was written behind the state is cut off.
    let torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&killed.good)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"half a rec"));
    torn.expect("written");
    // Another wish is refused, with what differs.
    let other = [&["scan", "-t", "sample:phi-2", "--model-max-length", "99"], &resumed[..]].concat();
    let other = maskscope(&other).output().expect("runs");
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("options was"), "{:?}", other.stderr);
    assert_eq!(scan(&resumed), whole, "the report, byte for byte");
    assert_eq!(killed.contents(), once.contents(), "the files, byte for byte");
    assert!(!state.exists(), "a scan that is done leaves no state");
    let none = maskscope(&["scan", "--resume"]).output().expect("runs");
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("--state FILE"));
}

#[test]
fn parquet_gives_what_the_same_rows_give_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let sorted = |name: &str, file: &str| {
        let files = Files::new(folder.path(), name);
        let arguments = files.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let report = scan(&[&[file, "--source-key", "source", "--format", "json"], &arguments[..]].concat());
        let rows =
            |bytes: &[u8]| -> Vec<Value> { String::from_utf8_lossy(bytes).lines().map(json_of).collect() };
        let [ids, good, bad] = files.contents();
        (json_of(&report), ids, rows(&good), rows(&bad))
    };
    let (lines, ids, good, bad) = sorted("lines", "tests/parquet/rows.jsonl");
    assert_eq!(lines["samples"], 23);
    assert_eq!((lines["bad"][0]["line"].as_u64(), lines["bad"][0]["index"].as_u64()), (Some(8), Some(7)));
    for codec in ["snappy", "zstd"] {
        let (rows, row_ids, row_good, row_bad) =
            sorted(codec, &format!("tests/parquet/rows.{codec}.parquet"));
        for key in [
            "samples",
            "bad_records",
            "by_state",
            "by_rounds",
            "by_source",
            "by_length",
            "tokens",
            "supervised",
        ] {
            assert_eq!(rows[key], lines[key], "{codec}: {key}");
        }
        assert_eq!((&row_ids, &row_good, &row_bad), (&ids, &good, &bad), "{codec}");
        let place = &rows["bad"][0];
        assert_eq!(
            (place["line"].as_u64(), place["index"].as_u64()),
            (Some(0), Some(7)),
            "row 7 has no turns"
        );
    }
    let text_of = std::fs::read_to_string("tests/parquet/rows.jsonl").expect("the rows");
    let first: Vec<&str> = text_of.lines().take(6).collect();
    let path = folder.path().join("first.jsonl");
    std::fs::write(&path, first.join("\n")).expect("written");
    let inspect =
        |path: &str| text(maskscope(&["inspect", "-d", path, "--format", "jsonl"]).output().expect("runs"));
    assert_eq!(
        inspect("tests/parquet/first.parquet"),
        inspect(path.to_str().unwrap()),
        "inspect reads it as well"
    );
    let whole = std::fs::read("tests/parquet/rows.zstd.parquet").expect("the fixture");
    for (name, bytes) in [("cut", &whole[..whole.len() / 2]), ("head", &whole[..6])] {
        let path = folder.path().join(format!("{name}.parquet"));
        std::fs::write(&path, bytes).expect("written");
        let broken = maskscope(&["scan", path.to_str().unwrap()]).output().expect("runs");
        assert_eq!(broken.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&broken.stderr);
        assert!(stderr.contains(name) && stderr.contains("Parquet"), "{stderr}");
    }
}

#[test]
fn lines_from_standard_input_are_records_one_by_one() {
    let lines = format!("{}\n{{\"open\": [\n{}\n", record(1), record(2));
    for words in [["--stdin", "--jsonl"], ["-", "--jsonl"]] {
        let mut child =
            maskscope(&[&["scan", "-t", "sample:phi-2", "--format", "json"], &words[..]].concat())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts");
        std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), lines.as_bytes()).expect("written");
        let report = json_of(&text(child.wait_with_output().expect("ends")));
        assert_eq!((&report["samples"], &report["bad_records"]), (&json!(2), &json!(1)));
        assert_eq!(report["bad"][0]["line"], 2);
    }
}

#[test]
fn the_report_tells_the_law_the_cuts_and_what_fixes_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.jsonl");
    let turns = |n: usize| -> Vec<Value> {
        (0..n)
            .flat_map(|i| {
                [
                    json!({"from": "human", "value": format!("What is {i}?")}),
                    json!({"from": "gpt", "value": "A number."}),
                ]
            })
            .collect()
    };
    let mut records: Vec<String> =
        (0..90).map(|n| json!({"id": n, "conversations": turns(1 + n % 3)}).to_string()).collect();
    records.push(json!({"id": "long", "conversations": [{"from": "human", "value": "word ".repeat(1500)}, {"from": "gpt", "value": "yes"}]}).to_string());
    std::fs::write(&path, records.join("\n")).expect("written");
    let path = path.to_str().expect("UTF-8");
    // Without the recipe pad is unk is eos: every separator goes uncounted.
    let wrong = ["--template", "phi", "--recipe", "none", "--pad", "unk"];
    let report = json_of(&scan(&[&[path, "--format", "json"], &wrong[..]].concat()));
    assert_eq!(report["by_state"]["mismatch"], 91);
    let law = &report["delta_law"];
    assert_eq!((law["slope"].as_i64(), law["samples"].as_u64()), (Some(1), Some(91)), "{law}");
    assert_eq!(report["delta_by_rounds"]["3"], json!({"3": 30}));
    let best = &report["fixes"][0];
    assert_eq!(
        (&best["repaired"], &best["lost_tried"], &best["broken"]),
        (&json!(64), &json!(64), &json!(0)),
        "{best}"
    );
    assert_eq!(best["repaired_estimate"], 91);
    assert!(best["supervised_after"].as_u64() > Some(64), "{best}");
    let lines = scan(&[&[path], &wrong[..]].concat());
    assert!(lines.contains("Δ = +n") || lines.contains("Δ = n"), "{lines}");
    assert!(lines.contains("repairs 64 of 64 lost (about 91 in all)"), "{lines}");
    // Under the recipe all is well, and the long one's only answer lies behind token 512 and 1024.
    let report = json_of(&scan(&[path, "--format", "json"]));
    assert_eq!(report["by_state"], json!({"sound": 91}));
    assert_eq!(report["fixes"], json!([]));
    let cut = &report["at_length"]["1024"];
    assert_eq!((&cut["samples"], &cut["answers_lost"]), (&json!(1), &json!(1)), "{cut}");
    assert!(cut["supervised"].as_u64() > Some(0) && cut["tokens"].as_u64() > cut["supervised"].as_u64());
    assert!(report["at_length"].get("2048").is_none(), "nothing is longer");
}

#[test]
fn the_quick_encoder_gives_the_ids_of_every_embedded_class() {
    use maskscope::samples::{SampleTokenizer, TOKENIZERS};
    use maskscope::tokenizer::{CachedEncoder, WordCache, load};
    for sample in TOKENIZERS {
        let files = SampleTokenizer::named(sample.name).expect("the sample").files();
        let tokenizer = std::sync::Arc::new(load(sample.name, &files, Default::default()).expect("loads"));
        let encoder = CachedEncoder::new(&tokenizer).expect("an encoder");
        let mut words = WordCache::default();
        for text in ["Two cats on a red sofa.", " 3 d\u{e9}j\u{e0} vu  \n\n x", "\u{4f60}\u{597d} a"] {
            // Once as new words and once as known ones.
            for _ in 0..2 {
                let mut ids = Vec::new();
                encoder.encode(&mut words, text, false, &mut ids).expect("is sure");
                assert_eq!(ids, tokenizer.encode(text, false).expect("encodes").ids, "{}", sample.name);
            }
        }
    }
}

#[test]
fn no_output_may_be_a_file_that_is_read_or_another_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, record(1)).expect("written");
    std::fs::hard_link(&input, folder.path().join("link.jsonl")).expect("linked");
    let before = std::fs::read(&input).expect("there");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let own = path("in.jsonl");
    let cases = [
        vec![own.clone(), "--write-good".to_string(), own.clone()],
        vec![own.clone(), "--bad-ids".to_string(), path("link.jsonl")],
        vec![own.clone(), "--state".to_string(), own.clone()],
        vec![own, "--bad-ids".to_string(), path("new"), "--write-bad".to_string(), path("new")],
    ];
    for case in cases {
        let arguments: Vec<&str> = std::iter::once("scan").chain(case.iter().map(String::as_str)).collect();
        let output = maskscope(&arguments).output().expect("runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {stderr}");
        assert!(stderr.contains("is scanned") || stderr.contains("too"), "{stderr}");
        assert_eq!(std::fs::read(&input).expect("there"), before, "{case:?}");
    }
}
