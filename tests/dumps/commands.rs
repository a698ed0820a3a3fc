//! `maskscope tokens`, `drift` and `hook` as they are called.

use serde_json::{Value, json};

use crate::{here, maskscope, stdout};

const CHATML: [&str; 6] =
    ["-t", "sample:qwen", "--template", "sample:chatml-think", "--preprocess", "axolotl_turn"];

fn tokens(arguments: &[&str]) -> (i32, String, String) {
    let output = maskscope(&[&["tokens"][..], arguments, &CHATML].concat());
    let code = output.status.code().expect("a code");
    (code, stdout(&output), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn fixture(name: &str) -> String {
    here("tests/token_dumps").join(name).to_str().expect("UTF-8").to_string()
}

#[test]
fn text_shows_rounds_roles_and_how_the_file_labels() {
    let (code, text, _) = tokens(&[&fixture("jsonl.right_padded.jsonl")]);
    // axolotl's labels of this template leave the end of an answer out: that is a finding, and nothing else is an error.
    assert_eq!(code, 1, "{text}");
    for line in [
        "1 user",
        "2 assistant",
        "labels at their own place · padded on the right",
        "MSK103 error",
        "5 rows, ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("Four"), "{text}");
}

#[test]
fn json_says_the_convention_and_the_findings() {
    let (_, text, _) = tokens(&[&fixture("saved.packed_seq_lens"), "--format", "json", "--rows", "1"]);
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&whole["rows"], &whole["documents"]), (&json!(2), &json!(5)));
    assert_eq!(whole["convention"]["packing"], "seq_lens");
    assert_eq!(whole["findings"].as_array().expect("a list").len(), 14);
    assert_eq!(whole["shown"].as_array().expect("a list").len(), 1);
    let (_, text, _) = tokens(&[&fixture("npzc.shifted.npz"), "--format", "jsonl"]);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let expected = std::fs::read_to_string(fixture("expected.jsonl")).expect("the rows");
    let first: Value = serde_json::from_str(expected.lines().next().expect("a row")).expect("JSON");
    let width = first["labels"].as_array().expect("a list").len();
    assert_eq!(rows.len(), 5);
    assert_eq!(
        rows[0]["labels"].as_array().expect("a list")[..width],
        first["labels"].as_array().expect("a list")[..]
    );
    assert_eq!(rows[0]["rounds"][1]["role"], "assistant");
}

#[test]
fn rows_are_explained_beside_the_same_messages() {
    let (_, text, _) =
        tokens(&[&fixture("npz.aligned.npz"), "-d", &fixture("messages.json"), "--format", "json"]);
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let explained = &whole["explained"];
    assert_eq!(explained["causes"], json!([{"cause": "none", "documents": 5}]), "{explained}");
    assert_eq!(explained["strategies"]["axolotl_turn"], 5);
    let (_, text, _) = tokens(&[&fixture("jsonl.packed_positions.jsonl"), "--explain"]);
    assert!(text.contains("labelled as axolotl_turn does"), "recovered from the text itself: {text}");
    // Another strategy on the same ids.
    let other = ["-t", "sample:qwen", "--template", "sample:chatml-think", "--preprocess", "unsloth"];
    let output = maskscope(&[&["tokens", &fixture("npz.aligned.npz"), "--explain"][..], &other].concat());
    assert!(stdout(&output).contains("the same ids, other labels: another strategy"), "{}", stdout(&output));
}

#[test]
fn two_dumps_are_compared() {
    let (code, text, _) =
        tokens(&[&fixture("jsonl.aligned.jsonl"), "--against", &fixture("npz.left_padded.npz")]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("5 samples: 5 alike") && text.contains("padding differs in 5")
            || text.contains("padding differs in 4"),
        "{text}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let changed = folder.path().join("changed.jsonl");
    let text = std::fs::read_to_string(fixture("jsonl.shifted.jsonl")).expect("rows");
    let kept: Vec<&str> = text.lines().take(4).collect();
    std::fs::write(&changed, kept.join("\n")).expect("written");
    let (code, text, _) =
        tokens(&[&fixture("jsonl.aligned.jsonl"), "--against", changed.to_str().expect("UTF-8")]);
    assert!(code == 1 && text.contains("only in A 1"), "{text}");
}

#[test]
fn bad_requests_end_with_a_sentence() {
    for (arguments, wanted) in [
        (&["none.jsonl"][..], "none.jsonl"),
        (&[&fixture("expected.jsonl"), "--key", "nothing=x"], "expected FIELD=KEY"),
        (&[&fixture("expected.jsonl"), "--rows", "many"], "expected a number, or all"),
        (&[&fixture("expected.jsonl"), "--row", "99"], "there are 5 rows"),
        (&[&fixture("expected.jsonl"), "--format", "svg"], "no format svg"),
    ] {
        let (code, _, error) = tokens(arguments);
        assert!(code == 2 && error.contains(wanted), "{arguments:?}: {error}");
    }
    assert_eq!(maskscope(&["hook", "nemo"]).status.code(), Some(2));
}

#[test]
fn keys_of_other_names_are_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, "{\"x\": [9707, 11, 1879], \"y\": [0, 1, 1]}\n").expect("written");
    let (_, text, _) =
        tokens(&[path.to_str().expect("UTF-8"), "--key", "ids=x", "--key", "mask=y", "--format", "jsonl"]);
    let row: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(row["labels"], json!([-100, 11, 1879]));
}

#[test]
fn drift_is_counted() {
    let (path, chatml) = (fixture("jsonl.aligned.jsonl"), CHATML);
    let output = maskscope(&[&["drift", &path, "--format", "json"][..], &chatml].concat());
    let whole: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((output.status.code(), &whole["drifting"]), (Some(0), &json!(0)), "{whole}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rollouts.jsonl");
    let row = json!({"input_ids": [151_644, 872, 198, 39, 151_645], "old_logprobs": [-1.0, -2.0], "rollout_logprobs": [-1.0, -4.0]});
    std::fs::write(&path, format!("{row}\n")).expect("written");
    let output = maskscope(&[&["drift", path.to_str().expect("UTF-8")][..], &chatml].concat());
    assert!(stdout(&output).contains("1 by more than a factor of two"), "{}", stdout(&output));
}

#[test]
fn the_lines_name_the_file_and_the_trainer() {
    let output = maskscope(&["hook", "axolotl", "--out", "a \"b\".jsonl", "--batches", "3"]);
    let text = stdout(&output);
    assert!(
        text.contains("PATH, BATCHES = \"a \\\"b\\\".jsonl\", 3") && text.contains("axolotl.cli.train"),
        "{text}"
    );
}

#[test]
fn routes_of_experts_are_counted_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, experts: Value| {
        let path = folder.path().join(name);
        let row =
            json!({"input_ids": [9707, 11, 1879], "labels": [-100, 11, 1879], "routed_experts": experts});
        std::fs::write(&path, format!("{row}\n")).expect("written");
        path.to_str().expect("UTF-8").to_string()
    };
    let server = write("server.jsonl", json!([[[0, 1], [2, 3]], [[0, 2], [3, 1]]]));
    let trainer = write("trainer.jsonl", json!([[[1, 0], [2, 0]], [[0, 2], [3, 1]]]));
    let (_, text, _) = tokens(&[&server]);
    assert!(text.contains("1 rows, 2 tokens, 2 layers, 2 of 4 or more experts a token"), "{text}");
    let (code, text, _) = tokens(&[&server, "--against", &trainer]);
    assert!(code == 1 && text.contains("100.00 %") && text.contains("50.00 %"), "{text}");
    let (code, text, _) = tokens(&[&write("bad.jsonl", json!([[[0, -1]], [[1, 1]], [[2, 3]]]))]);
    assert!(code == 1 && text.contains("MSK114 error") && text.contains("choices that are −1: 1"), "{text}");
}
