//! Rows for preference training: never taken for supervised rows, their sides accounted for.

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::scene::{Scene, turn};
use crate::{PLAIN, STRICT};

fn pair(chosen: &str, rejected: &str) -> Value {
    json!({"prompt": [turn("user", json!("Is 91 prime?"))], "chosen": [turn("assistant", json!(chosen))], "rejected": [turn("assistant", json!(rejected))]})
}

/// The finding of a check on rows that are labelled as a preference trainer does.
fn finding(template: &str, rows: &[Value], id: &str) -> Value {
    let report =
        Scene::new(template, rows).run_as("trl_dpo", &["doctor", "-d", "rows.jsonl", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["id"] == id).expect("the check").clone()
}

#[test]
fn sides_that_teach_nothing_are_named() {
    let whole = |answer: &str| json!([turn("user", json!("Is 91 prime?")), turn("assistant", json!(answer))]);
    for (rows, verdict, says) in [
        (vec![pair("No, it is 7 times 13.", "Yes.")], "ok", ""),
        (vec![pair("No, it is 7 times 13.", "No, it is 7 times 13.")], "warn", "the same tokens"),
        (vec![json!({"chosen": whole("No."), "rejected": whole("No.")})], "warn", "the same tokens"),
        (vec![json!({"chosen": whole("No."), "rejected": whole("Yes.")})], "ok", ""),
    ] {
        let finding = finding(PLAIN, &rows, "MSK057");
        // The sample's eos is not what this template writes; that is for the check of stop tokens.
        let evidence = finding["evidence"].to_string();
        assert_eq!(evidence.contains("the same tokens"), verdict == "warn", "{rows:?}: {finding}");
        assert!(evidence.contains(says), "{finding}");
    }
    let template = PLAIN.replace("<|im_end|>", "<|endoftext|>");
    let rows = [pair("No, it is 7 times 13.", "Yes.")];
    assert_eq!(finding(&template, &rows, "MSK057")["verdict"], "ok");
    let open = finding(PLAIN, &rows, "MSK057");
    assert!(
        open["evidence"].to_string().contains("does not end with a token at which generation stops"),
        "{open}"
    );
}

#[test]
fn what_a_side_loses_is_named() {
    let answer = |key: &str, text: &str| json!({"role": "assistant", "content": text, key: "Seven times thirteen is ninety-one."});
    for key in ["reasoning_content", "thinking", "reasoning"] {
        for (chosen, rejected) in [
            (answer(key, "No."), turn("assistant", json!("Yes."))),
            (turn("assistant", json!("No.")), answer(key, "Yes.")),
        ] {
            let row = json!({"prompt": [turn("user", json!("Is 91 prime?"))], "chosen": [chosen], "rejected": [rejected]});
            let finding = finding(PLAIN, &[row], "MSK054");
            assert_eq!(finding["verdict"], "warn", "{finding}");
            assert!(finding["evidence"].to_string().contains(key), "{finding}");
        }
    }
    assert_eq!(finding(PLAIN, &[pair("No, it is 7 times 13.", "Yes.")], "MSK054")["verdict"], "ok");
}

#[test]
fn rows_that_the_trainer_refuses_are_an_error() {
    let broken = |content: Value| json!({"prompt": [turn("user", json!("Is 91 prime?"))], "chosen": [turn("assistant", content)], "rejected": [turn("assistant", json!("Yes."))]});
    for content in [json!(null), json!([{"type": "text", "text": "No."}]), json!({"text": "No."})] {
        let finding = finding(STRICT, &[pair("No.", "Yes."), broken(content)], "MSK052");
        assert_eq!(
            (finding["verdict"].as_str(), &finding["samples"]),
            (Some("error"), &json!([1])),
            "{finding}"
        );
    }
}

#[test]
fn rows_of_plain_text_need_no_template() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, row, says, never) in [
        (
            "pairs",
            json!({"prompt": "Is 91 prime?", "chosen": " No.", "rejected": " Yes."}),
            "trl_dpo",
            "LLaVA",
        ),
        ("kto", json!({"prompt": "Is 91 prime?", "completion": " No.", "label": true}), "trl_kto", "LLaVA"),
        ("completion", json!({"prompt": "Is 91 prime?", "completion": " No."}), "prompt_completion", "KTO"),
    ] {
        let file = format!("{name}.jsonl");
        std::fs::write(folder.path().join(&file), row.to_string()).expect("written");
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        let output =
            command.current_dir(folder.path()).args(["inspect", "-d", &file]).output().expect("runs");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{name}: {out}{err}");
        assert!(out.contains(says) && !out.contains(never), "{name}: {out}{err}");
    }
}
