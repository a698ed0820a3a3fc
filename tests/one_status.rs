//! One sample, one status, one count: every command, format and screen says the same of a set of samples.

use std::collections::BTreeMap;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Id, status, and supervised and truncated tokens.
type Expected = (&'static str, &'static str, Option<(usize, usize)>);

/// Records with the options that they are looked at under, and what becomes of each: id, status, supervised and
/// truncated tokens (`None` where no labels are made).
struct Case {
    name: &'static str,
    records: Vec<Value>,
    options: &'static [&'static str],
    expected: Vec<Expected>,
    /// Rules that count rounds: onboarding is for these.
    llava: bool,
}

fn turns(id: &str, question: &str, answer: &str) -> Value {
    json!({"id": id, "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]})
}

fn messages(id: &str, question: &str, answer: &str) -> Value {
    json!({"id": id, "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]})
}

fn image(id: &str, question: &str, answer: &str) -> Value {
    let mut record = turns(id, &format!("<image>\n{question}"), answer);
    record["image"] = "cat.jpg".into();
    record
}

fn own_labels() -> Value {
    json!({"id": "own", "conversations": [], "input_ids": [1, 5, 9, 11], "labels": [-100, -100, 9, 11]})
}

fn cases() -> Vec<Case> {
    let long = "word ".repeat(60);
    vec![
        Case {
            name: "LLaVA, each status",
            records: vec![
                turns("sound", "Hi?", "Yes."),
                turns("empty", "Hi?", ""),
                json!({"id": "speaker", "conversations": [{"from": "robot", "value": "Hi"}, {"from": "gpt", "value": "Yes."}]}),
                turns("cut", &long, "Yes."),
                own_labels(),
            ],
            options: &["-t", "sample:phi-2", "--model-max-length", "64"],
            expected: vec![
                ("sound", "sound", Some((3, 0))),
                ("empty", "mismatch", Some((0, 0))),
                ("speaker", "raises", None),
                ("cut", "silent", Some((0, 0))),
                ("own", "sound", Some((2, 0))),
            ],
            llava: true,
        },
        Case {
            name: "images that the collator cuts",
            records: vec![image("part", "Hi?", &"Yes. ".repeat(12)), image("all", &long, "Yes.")],
            options: &["-t", "sample:phi-2", "--model-max-length", "50"],
            expected: vec![("part", "sound", None), ("all", "silent", None)],
            llava: true,
        },
        Case {
            name: "a chat template",
            records: vec![messages("answer", "Hi?", "Yes."), messages("other", "And now?", "No.")],
            options: &["-t", "sample:phi-2", "--loader", "fast", "--template", "sample:chatml-think"],
            expected: vec![("answer", "sound", None), ("other", "sound", None)],
            llava: false,
        },
        Case {
            name: "a chat template, rendered only",
            records: vec![messages("answer", "Hi?", "Yes.")],
            options: &[
                "-t",
                "sample:phi-2",
                "--loader",
                "fast",
                "--template",
                "sample:chatml-think",
                "--preprocess",
                "render",
            ],
            expected: vec![("answer", "silent", Some((0, 0)))],
            llava: false,
        },
        Case {
            name: "a strategy that fails",
            records: vec![json!({"id": "answer", "messages": [{"role": "assistant", "content": "Yes."}]})],
            options: &[
                "-t",
                "sample:phi-2",
                "--loader",
                "fast",
                "--template",
                "sample:chatml-think",
                "--preprocess",
                "llamafactory",
            ],
            expected: vec![("answer", "raises", None)],
            llava: false,
        },
    ]
}

struct Run {
    folder: TempDir,
    options: &'static [&'static str],
}

impl Run {
    fn new(case: &Case) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lines: Vec<String> = case.records.iter().map(Value::to_string).collect();
        std::fs::write(folder.path().join("rows.jsonl"), lines.join("\n")).expect("writes");
        Self { folder, options: case.options }
    }

    /// Standard output and exit status of a command on the records.
    fn of(&self, command: &[&str]) -> (String, i32) {
        let mut run = Command::cargo_bin("maskscope").expect("the binary");
        run.current_dir(self.folder.path()).env("NO_COLOR", "1").args(command).args(self.options);
        let output = run.args(["-d", "rows.jsonl"]).output().expect("runs");
        let code = output.status.code().expect("ends by itself");
        assert_ne!(code, 2, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).expect("UTF-8"), code)
    }

    fn json(&self, command: &[&str]) -> (Value, i32) {
        let (text, code) = self.of(&[command, &["--format", "json"]].concat());
        (serde_json::from_str(&text).unwrap_or_else(|e| panic!("{command:?}: {e}\n{text}")), code)
    }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or(0)).expect("a small number")
}

/// Labels that are left after the collator's cut, as a reader of the JSON counts them.
fn supervised(record: &Value) -> usize {
    let labels = record["labels"].as_array().map_or(&[][..], Vec::as_slice);
    labels.iter().filter(|label| **label != json!(-100)).count() - number(&record["truncated"])
}

fn symbol(status: &str) -> &'static str {
    match status {
        "sound" => "✓",
        "silent" => "∅",
        "mismatch" => "✗",
        "raises" => "!",
        other => panic!("no status: {other}"),
    }
}

#[test]
fn every_reader_says_the_same_of_a_sample() {
    for case in cases() {
        let (run, name) = (Run::new(&case), case.name);
        // JSON is what the others are held against.
        let (inspected, _) = run.json(&["inspect"]);
        let inspected = inspected.as_array().expect("samples");
        assert_eq!(inspected.len(), case.expected.len(), "{name}");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (record, (id, status, tokens)) in inspected.iter().zip(&case.expected) {
            assert_eq!((&record["id"], &record["status"]), (&json!(id), &json!(status)), "{name}: {record}");
            if let Some(tokens) = tokens {
                assert_eq!((supervised(record), number(&record["truncated"])), *tokens, "{name}: {record}");
            }
            *counts.entry(*status).or_default() += 1;
        }
        let total: usize = inspected.iter().map(supervised).sum();
        let truncated: usize = inspected.iter().map(|record| number(&record["truncated"])).sum();
        let found = i32::from(counts.get("sound") != Some(&inspected.len()));
        let by_state = |value: &Value| -> BTreeMap<String, usize> {
            let all = value.as_object().expect("counts").iter().map(|(key, n)| (key.clone(), number(n)));
            all.filter(|(_, n)| *n > 0).collect()
        };
        let expected: BTreeMap<String, usize> = counts.iter().map(|(k, n)| ((*k).to_string(), *n)).collect();

        let (text, code) = run.of(&["inspect", "--check"]);
        assert_eq!(code, found, "{name}: inspect --check");
        let summary = text.lines().last().expect("a summary");
        for status in ["sound", "silent", "mismatch", "raises"] {
            let part = format!("{} {} {status}", symbol(status), counts.get(status).copied().unwrap_or(0));
            assert!(summary.contains(&part), "{name}: {part} in {summary}");
        }
        let (page, _) = run.of(&["inspect", "--format", "html"]);
        for (record, (id, status, _)) in inspected.iter().zip(&case.expected) {
            let line = |text: &str, start: &str| {
                let after = text.split(&format!("{id} · template")).nth(1).expect("the sample is there");
                let at = after.find(start).expect("a status");
                after[at + start.len()..].lines().next().expect("a line").to_string()
            };
            for line in [line(&text, "\n  "), line(&page, "<p>")] {
                assert!(line.starts_with(symbol(status)), "{name} {id}: {line}");
                if *status == "sound" {
                    assert!(line.contains(&format!("{} of ", supervised(record))), "{name} {id}: {line}");
                }
            }
        }

        let (scanned, code) = run.json(&["scan"]);
        assert_eq!((by_state(&scanned["by_state"]), code), (expected.clone(), found), "{name}: scan");
        assert_eq!(
            (number(&scanned["supervised"]), number(&scanned["truncated"])),
            (total, truncated),
            "{name}: scan"
        );

        let (report, code) = run.json(&["doctor"]);
        assert_eq!(by_state(&report["by_state"]), expected, "{name}: doctor");
        assert!(code >= found, "{name}: doctor has found what inspect has found");

        if case.llava {
            let (onboarded, code) = run.json(&["onboard"]);
            assert_eq!(by_state(&onboarded["by_state"]), expected, "{name}: onboard");
            assert_eq!(number(&onboarded["effect"]["supervised_before"]), total, "{name}: onboard");
            let sound_after = number(&onboarded["by_state_after"]["sound"]);
            assert!(sound_after > 0 && code == 0, "{name}: onboard ends as it always did: {code}");
        }

        let (compared, code) = run.json(&["compare", "-t", "sample:phi-2"]);
        assert_eq!(code, 0, "{name}: two equal sides differ in nothing, which is all that compare looks for");
        for (record, compared) in inspected.iter().zip(compared["samples"].as_array().expect("samples")) {
            for side in [&compared["a"], &compared["b"]] {
                assert_eq!(side["status"], record["status"], "{name}: compare");
                assert_eq!(number(&side["supervised"]), supervised(record), "{name}: compare");
            }
        }

        let (frame, _) = run.of(&["frame", "--screen", "samples", "--size", "140x40"]);
        for (record, (id, status, _)) in inspected.iter().zip(&case.expected) {
            let row = frame.lines().find(|line| line.contains(&format!(" {id} "))).expect("a row");
            assert!(row.contains(&format!("{} ", symbol(status))), "{name} {id}: {row}");
            if *status == "sound" {
                assert!(row.contains(&format!("{} of ", supervised(record))), "{name} {id}: {row}");
            }
        }
    }
}

#[test]
fn a_rendered_text_is_silent_for_inspect_and_scan() {
    let options = ["--template", "sample:chatml-think", "--preprocess", "render"];
    for command in [&["inspect", "--check"][..], &["scan"]] {
        let output =
            Command::cargo_bin("maskscope").expect("the binary").args(command).args(options).output();
        assert_eq!(output.expect("runs").status.code(), Some(1), "{command:?}");
    }
}

#[test]
fn a_record_with_labels_of_its_own_is_the_same_however_its_files_are_loaded() {
    let case = Case {
        name: "own labels",
        records: vec![own_labels(), turns("sound", "Hi?", "Yes.")],
        options: &["-t", "sample:phi-2"],
        expected: Vec::new(),
        llava: true,
    };
    let (report, _) = Run::new(&case).json(&["doctor"]);
    let findings = report["findings"].as_array().expect("findings");
    let finding = findings.iter().find(|finding| finding["id"] == "MSK064").expect("the check");
    assert!(!finding["samples"].as_array().expect("samples").contains(&json!(0)), "{finding}");
}

/// A message that a label cannot be right for shows on the header once the doctor has looked.
#[test]
fn the_header_says_what_the_doctor_found() {
    let record = json!({"id": "seam", "messages": [
        {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And?"}, {"role": "assistant", "content": "No."}]});
    let case = Case {
        name: "doctor",
        records: vec![record],
        options: &[
            "-t",
            "sample:phi-2",
            "--loader",
            "fast",
            "--template",
            "sample:chatml-learned-header",
            "--preprocess",
            "hf_generation",
        ],
        expected: Vec::new(),
        llava: false,
    };
    let run = Run::new(&case);
    let (report, _) = run.json(&["doctor"]);
    let findings = report["findings"].as_array().expect("findings");
    let worst = findings
        .iter()
        .filter(|f| f["samples"] == json!([0]))
        .map(|f| f["verdict"].as_str().expect("a word"));
    assert!(worst.into_iter().any(|verdict| verdict == "warn" || verdict == "error"), "{report}");
    let header = |keys: &str| run.of(&["frame", "--screen", "labels", "--size", "140x40", "--keys", keys]).0;
    assert!(!header("").contains("doctor ") && header("6 1").contains(" · doctor "), "{}", header("6 1"));
}
