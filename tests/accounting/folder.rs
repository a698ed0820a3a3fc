//! Files of one folder that contradict each other: recorded with three releases by `tests/scripts/record_contradictions.py`.

use std::path::Path;

use assert_cmd::Command;
use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Release, Role, load};
use serde_json::{Value, json};

use crate::PLAIN;
use crate::scene::{row, turn};

const TOKENS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders/contradictions.jsonl");
    let text = std::fs::read_to_string(path).expect("the golden");
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(cases.len() >= 24, "{} cases", cases.len());
    cases
}

/// The case's folder, with further files.
fn folder(case: &Value, more: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let files = case["files"].as_object().expect("files").iter().map(|(name, file)| (name.as_str(), file));
    for (name, file) in files.chain(more.iter().map(|(name, file)| (*name, file))) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, file.as_str().map_or_else(|| file.to_string(), String::from)).expect("written");
    }
    folder
}

/// All findings of the doctor on two turns.
fn findings(folder: &Path, template: Option<&str>) -> Vec<Value> {
    let place = tempfile::tempdir().expect("a folder");
    let rows = row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))]));
    std::fs::write(place.path().join("rows.jsonl"), rows.to_string()).expect("written");
    std::fs::write(place.path().join("t.jinja"), template.unwrap_or(PLAIN)).expect("written");
    let mut command = Command::cargo_bin("maskscope").expect("the binary");
    let output = command
        .current_dir(place.path())
        .args(["doctor", "-d", "rows.jsonl", "--format", "json", "--template", "t.jinja"])
        .args(["--preprocess", "axolotl_turn", "--loader", "fast", "-t"])
        .arg(folder)
        .output()
        .expect("runs");
    assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["findings"].as_array().expect("findings").clone()
}

fn finding<'f>(findings: &'f [Value], id: &str) -> &'f Value {
    findings.iter().find(|finding| finding["id"] == id).expect("the check")
}

fn evidence<'f>(finding: &'f Value, what: &str) -> Option<&'f str> {
    let all = finding["evidence"].as_array().expect("evidence");
    all.iter().find(|e| e["what"] == what).and_then(|e| e["value"].as_str())
}

#[test]
fn each_release_gives_the_ids_that_it_was_seen_to_give() {
    let mut compared = 0;
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        let folder = folder(&case, &[]);
        let files = FileSet::folder(folder.path()).expect("files");
        for (release, loaded) in case["loaded"].as_object().expect("releases") {
            let release = Release::parse(release).expect("a release").0;
            for (asked, loader) in [("slow", Loader::Slow), ("fast", Loader::Fast)] {
                let recorded = &loaded[asked];
                let is_fast = recorded["class"].as_str().is_some_and(|class| class.ends_with("Fast"));
                if release != Release::V5 && is_fast != (loader == Loader::Fast) {
                    continue;
                }
                let options = LoadOptions { loader: Some(loader), release, ..LoadOptions::default() };
                let tokenizer = load("t", &files, options).expect("loads");
                let ids: Vec<Value> = TOKENS.map(|token| json!(tokenizer.token_to_id(token))).to_vec();
                let role = |role: Role| json!(tokenizer.special.get(role).map(|token| token.content.clone()));
                let ours = json!({"ids": ids, "eos": role(Role::Eos), "pad": role(Role::Pad), "class": recorded["class"]});
                assert_eq!(&ours, recorded, "{name}: {asked} {release:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 90, "{compared}");
}

#[test]
fn a_token_with_two_ids_is_named_with_the_id_of_each_release() {
    let mut named = 0;
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        let contradicts = ["decoder swaps", "leaves a gap", "swaps two", "against decoder", "another id"];
        let contradicts = contradicts.iter().any(|part| name.contains(part));
        let all = findings(folder(&case, &[]).path(), None);
        let found = finding(&all, "MSK066");
        assert_eq!(found["verdict"], if contradicts { "warn" } else { "ok" }, "{name}: {found}");
        for loaded in case["loaded"].as_object().expect("releases").values().filter(|_| contradicts) {
            let ids = [&loaded["slow"]["ids"], &loaded["fast"]["ids"]];
            for (at, token) in TOKENS.iter().enumerate() {
                let Some(line) = evidence(found, token) else { continue };
                assert!(ids.iter().all(|ids| line.contains(&format!("{} by ", ids[at]))), "{name}: {line}");
                named += 1;
            }
        }
    }
    assert!(named >= 24, "{named}");
}

#[test]
fn tokens_with_a_role_are_compared_over_all_files() {
    let cases = cases();
    let of = |name: &str| cases.iter().find(|case| case["name"] == name).expect("the case");
    for (name, verdict, taken) in [
        ("special_tokens_map.json differs", "warn", "takes \"<|im_end|>\""),
        ("special_tokens_map.json differs from a folder with decoder", "warn", "takes \"<|endoftext|>\""),
        ("special_tokens_map.json names the same", "ok", ""),
    ] {
        let all = findings(folder(of(name), &[]).path(), None);
        let found = finding(&all, "MSK067");
        assert_eq!(found["verdict"], verdict, "{name}: {found}");
        assert!(found["cause"].as_str().is_some_and(|cause| cause.contains(taken)), "{name}: {found}");
    }
    // The tokenizer's eos is <|im_end|> (258), and so is the template's end.
    let generation = |ids: Value| ("generation_config.json", json!({"eos_token_id": ids}));
    let model = |ids: Value| ("config.json", json!({"eos_token_id": ids}));
    let nested = |ids: Value| ("config.json", json!({"text_config": {"eos_token_id": ids}}));
    for (more, verdict, says) in [
        (vec![generation(json!(258))], "ok", ""),
        (vec![generation(json!([256, 258]))], "ok", ""),
        (
            vec![generation(json!(256))],
            "warn",
            "generation_config.json stops generation at <|endoftext|> (256) only",
        ),
        (vec![model(json!(256))], "warn", "config.json stops generation at <|endoftext|> (256) only"),
        (vec![nested(json!([256, 257]))], "warn", "config.json (text_config) stops generation at"),
        (vec![nested(json!([256, 258]))], "ok", ""),
        (
            vec![generation(json!([258])), model(json!(256))],
            "note",
            "`generate` follows generation_config.json",
        ),
        (vec![generation(json!(999))], "warn", "999, which is no token of this tokenizer"),
        (
            vec![("generation_config.json", json!({"eos_token_id": 258, "bos_token_id": 257}))],
            "note",
            "bos is",
        ),
        (vec![("config.json", json!({"eos_token_id": 258, "pad_token_id": 0}))], "ok", ""),
    ] {
        let all = findings(folder(of("sound"), &more).path(), None);
        let found = finding(&all, "MSK067");
        assert_eq!(found["verdict"], verdict, "{more:?}: {found}");
        assert!(found["cause"].as_str().is_some_and(|cause| cause.contains(says)), "{more:?}: {found}");
    }
    let pads = [
        ("config.json", json!({"pad_token_id": 256})),
        ("generation_config.json", json!({"pad_token_id": 257})),
    ];
    let all = findings(folder(of("special_tokens_map.json names the same"), &pads).path(), None);
    let found = finding(&all, "MSK067");
    assert_eq!(found["verdict"], "note", "{found}");
    assert!(
        found["cause"].as_str().is_some_and(|cause| cause.contains("tokenizer's pad is <|im_start|> (257)"))
    );
    // A base model's eos under a template of turns: the answer ends with a token at which generation goes on.
    let ends = PLAIN.replace("<|im_end|>", "<|im_start|>");
    let all = findings(folder(of("sound"), &[generation(json!(258))]).path(), Some(&ends));
    let found = finding(&all, "MSK067");
    assert_eq!(found["verdict"], "warn", "{found}");
    assert!(
        found["cause"].as_str().is_some_and(|cause| cause.contains("an answer ends with <|im_start|> (257)"))
    );
}

#[test]
fn templates_in_several_places_are_named_with_the_one_that_each_reader_takes() {
    let place = |text: &Value| match text.as_str().unwrap_or_default() {
        "CONFIG" | "LISTED" => "tokenizer_config.json",
        "FILE" => "chat_template.jinja",
        "LEGACY" => "chat_template.json",
        "PROCESSOR" => "processor_config.json",
        other => other.split(':').next().unwrap_or_default().to_string().leak(),
    };
    let mut compared = 0;
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        let all = findings(folder(&case, &[]).path(), None);
        let found = finding(&all, "MSK068");
        let verdict = match name {
            "file and config" | "file and list" | "list and named file" => "note",
            "named file without default" | "legacy and named file" => "warn",
            name if name.contains("legacy") || name.contains("processor") => "warn",
            _ => "ok",
        };
        assert_eq!(found["verdict"], verdict, "{name}: {found}");
        if verdict == "ok" {
            continue;
        }
        let loaded = &case["loaded"];
        for release in ["4.57", "5.23"] {
            let line = evidence(found, "AutoTokenizer 4.57 and 5 takes").expect("the reader");
            assert!(line.starts_with(place(&loaded[release]["templates"][0])), "{name}: {line}");
            let reader = format!("AutoProcessor {} takes", release.trim_end_matches(".23"));
            let given = &loaded[release]["processor"];
            if let Some(line) = evidence(found, &reader).filter(|_| given.is_string()) {
                assert!(line.starts_with(place(given)), "{name}: {reader} {line}");
                compared += 1;
            }
        }
        let old = &loaded["4.37"]["templates"][0];
        let line = evidence(found, "AutoTokenizer 4.37 takes").expect("the reader");
        let is_default = old.as_str().is_some_and(|text| text.starts_with("<|im_start|>"));
        let expected = if is_default { "the class's own default" } else { place(old) };
        assert!(line.starts_with(expected), "{name}: {line}");
    }
    assert!(compared >= 10, "{compared}");
}
