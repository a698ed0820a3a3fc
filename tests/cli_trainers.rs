//! The binary on trainers' own data paths, and on rows that are not for supervised training.

use assert_cmd::Command;
use serde_json::Value;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const MESSAGES: &str = r#"{"id": "m", "messages": [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "Four."}, {"role": "user", "content": "And 3+3?"}, {"role": "assistant", "content": "Six."}]}"#;

/// `inspect --format jsonl` on an embedded tokenizer: the exit status, the records, what was said.
fn inspect(rows: &str, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.jsonl"), rows).expect("written");
    std::fs::write(folder.path().join("chatml.jinja"), CHATML).expect("written");
    let fixed = ["inspect", "-t", "sample:mistral", "-d", "rows.jsonl", "--format", "jsonl"];
    let mut command = Command::cargo_bin("maskscope").expect("the binary");
    let output = command.current_dir(folder.path()).args(fixed).args(arguments).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let records = text(output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (output.status.code(), records, text(output.stderr))
}

/// The records of rows with the template of this file.
fn with_template(rows: &str, arguments: &[&str]) -> Vec<Value> {
    let all = [&["--template", "chatml.jinja"], arguments].concat();
    let (code, records, said) = inspect(rows, &all);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    records
}

/// The supervised ids, with a bar for every masked stretch.
fn supervised(record: &Value) -> String {
    let list = |key: &str| record[key].as_array().unwrap_or_else(|| panic!("{key} of {record}")).clone();
    let ids: Vec<String> = list("input_ids")
        .iter()
        .zip(list("labels"))
        .map(|(id, label)| if label == -100 { "|".to_string() } else { format!("{id} ") })
        .collect();
    let mut runs = ids.concat();
    while runs.contains("||") {
        runs = runs.replace("||", "|");
    }
    runs
}

fn runs(record: &Value) -> usize {
    supervised(record).split('|').filter(|run| !run.is_empty()).count()
}

/// What is said of a record.
fn notes(record: &Value) -> String {
    record["notes"].to_string()
}

#[test]
fn preference_rows_of_every_layout_are_labelled_on_both_sides() {
    let question = r#"[{"role": "user", "content": "What is 2+2?"}]"#;
    let answer = |text: &str| format!(r#"[{{"role": "assistant", "content": "{text}"}}]"#);
    let whole = |text: &str| {
        format!(
            r#"[{{"role": "user", "content": "What is 2+2?"}}, {{"role": "assistant", "content": "{text}"}}]"#
        )
    };
    for row in [
        format!(
            r#"{{"prompt": {question}, "chosen": {}, "rejected": {}}}"#,
            answer("Four."),
            answer("Five.")
        ),
        format!(r#"{{"chosen": {}, "rejected": {}}}"#, whole("Four."), whole("Five.")),
        r#"{"prompt": "2+2?", "chosen": " Four.", "rejected": " Five."}"#.to_string(),
        r#"{"chosen": "2+2? Four.", "rejected": "2+2? Five."}"#.to_string(),
        format!(r#"{{"messages": {}, "rejected_response": "Five."}}"#, whole("Four.")),
    ] {
        let record = &with_template(&row, &[])[0];
        assert_eq!(record["preprocess"], "trl_dpo", "{row}");
        assert!(
            notes(record).contains("the chosen side") && notes(record).contains("the rejected side"),
            "{record}"
        );
        assert_eq!(runs(record), 2, "{row}: {}", supervised(record));
        // Both sides end in the same token: eos of plain text, the end of the turn of messages.
        let ends: Vec<String> = supervised(record)
            .split('|')
            .filter(|run| !run.is_empty())
            .map(|run| run.trim().rsplit(' ').next().unwrap().to_string())
            .collect();
        assert_eq!(ends[0], ends[1], "{row}");
    }
}

#[test]
fn rows_of_kto_are_labelled_as_wanted_or_not() {
    let rows = "{\"prompt\": \"2+2?\", \"completion\": \" Four.\", \"label\": true}\n\
        {\"prompt\": \"2+2?\", \"completion\": \" Five.\", \"label\": false}";
    let records = with_template(rows, &[]);
    assert_eq!(records.iter().map(|r| r["preprocess"].as_str().unwrap()).collect::<Vec<_>>(), ["trl_kto"; 2]);
    assert!(notes(&records[0]).contains("chosen") && notes(&records[1]).contains("rejected"), "{records:?}");
}

#[test]
fn llava_rules_have_no_part_in_preference_rows() {
    let row = r#"{"prompt": "2+2?", "chosen": "Four.", "rejected": "Five."}"#;
    let (_, records, _) = inspect(row, &["--template", "vicuna_v1"]);
    assert_eq!(records[0]["error"]["type"], "DoesNotApply", "{records:?}");
}

#[test]
fn trainers_go_by_name_with_options_of_their_own() {
    let learned = |arguments: &[&str]| {
        let record = with_template(MESSAGES, arguments).remove(0);
        assert!(record["error"].is_null(), "{arguments:?}: {record}");
        runs(&record)
    };
    assert_eq!(learned(&["--preprocess", "trl_sft"]), 1, "everything");
    // The marks are text to this vocabulary, so pieces and whole differ.
    let verl = ["--preprocess", "verl", "--strategy-option", "ignore_input_ids_mismatch=true"];
    assert_eq!(learned(&verl), 2);
    assert_eq!(learned(&["--preprocess", "openrlhf"]), 1, "the last answer");
    assert_eq!(learned(&["--preprocess", "openrlhf", "--strategy-option", "multiturn=true"]), 2);
    assert_eq!(learned(&["--preprocess", "swift", "--strategy-option", "template=chatml"]), 2);
    let last = [
        "--preprocess",
        "swift",
        "--strategy-option",
        "template=chatml",
        "--strategy-option",
        "loss_scale=last_round",
    ];
    assert_eq!(learned(&last), 1);
    assert_eq!(learned(&["--preprocess", "xtuner", "--strategy-option", "template=qwen3"]), 2);
    assert_eq!(learned(&["--preprocess", "renderers"]), 2);
    assert_eq!(learned(&["--preprocess", "torchtune"]), 2);
}

#[test]
fn what_a_trainer_drops_or_refuses_is_said() {
    let mismatch = ["--preprocess", "verl"];
    let record = with_template(MESSAGES, &mismatch).remove(0);
    assert_eq!(record["error"]["type"], "AssertionError", "{record}");
    let record = with_template(MESSAGES, &["--preprocess", "trl_dpo"]).remove(0);
    assert_eq!(record["error"]["type"], "DoesNotApply", "{record}");
    let tagged = ["--preprocess", "trl_sft", "--strategy-option", "assistant_only_loss=true"];
    let record = with_template(MESSAGES, &tagged).remove(0);
    assert!(record["error"]["message"].as_str().unwrap().contains("not training-compatible"), "{record}");
    let (code, _, said) =
        inspect(MESSAGES, &["--template", "chatml.jinja", "--strategy-option", "loss_scal=all"]);
    assert!(code == Some(2) && said.contains("loss_scale"), "{said}");
    // Without a name the format that writes most like the template is taken, and said: ChatML without the bos that ms-swift's
    // chatml adds to this vocabulary.
    let (_, records, said) = inspect(MESSAGES, &["--preprocess", "swift", "--template", "chatml.jinja"]);
    assert!(said.contains("ms-swift's format qwq taken"), "{said}");
    assert!(records[0]["error"].is_null(), "{records:?}");
    let wrong = ["--preprocess", "swift", "--template", "chatml.jinja", "--strategy-option", "template=chat"];
    let (_, records, _) = inspect(MESSAGES, &wrong);
    assert!(records[0]["error"]["message"].to_string().contains("known are chatml"), "{records:?}");
}
