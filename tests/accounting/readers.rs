//! Files that other readers refuse are read, with a note that says who refuses them.

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::scene::turn;

fn notes(name: &str, bytes: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), bytes).expect("written");
    std::fs::write(folder.path().join("t.jinja"), crate::LOOSE).expect("written");
    let mut command = Command::cargo_bin("maskscope").expect("the binary");
    let output = command
        .current_dir(folder.path())
        .args([
            "inspect",
            "-d",
            name,
            "--template",
            "t.jinja",
            "--preprocess",
            "unsloth",
            "--format",
            "jsonl",
        ])
        .output()
        .expect("runs");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    let rows = String::from_utf8(output.stdout).expect("UTF-8").lines().count();
    assert_eq!((output.status.code(), rows), (Some(0), 2), "{name}: {err}");
    err
}

fn row(content: Value) -> String {
    json!({"messages": [turn("user", content), turn("assistant", json!("Hello."))]}).to_string()
}

#[test]
fn what_other_readers_refuse_is_said() {
    let (one, two) = (row(json!("Hi")), row(json!("Good day")));
    let lines = format!("{one}\n{two}\n");
    let list = row(json!([{"type": "text", "text": "Hi"}]));
    let open = one.replace("}]}", "},],}");
    for (name, text, says) in [
        ("rows.jsonl", format!("\u{feff}{lines}"), Some("byte order mark")),
        ("rows.json", format!("\u{feff}[{one},{two}]"), Some("byte order mark")),
        ("rows.json", lines.clone(), Some("JSONDecodeError: Extra data")),
        ("rows.jsonl", format!("[{one},\n{two}]"), Some("array under the name .jsonl")),
        ("rows.jsonl", format!("{open}\n{two}\n"), Some("commas before closing brackets")),
        ("rows.json", format!("[{one},\n{two},\n]"), Some("commas before closing brackets")),
        ("rows.json", format!("[{open},\n{two}]"), Some("commas before closing brackets")),
        ("rows.jsonl", format!("{one}\n{list}\n"), Some("/messages/[]/content is string and array")),
        ("rows.jsonl", lines, None),
        ("rows.json", format!("[{one},\n{two}]"), None),
    ] {
        let notes = notes(name, &text);
        match says {
            Some(says) => assert!(notes.contains(says), "{name} {text}: {notes}"),
            None => assert!(!notes.contains("refuse") && !notes.contains("reads line"), "{name}: {notes}"),
        }
    }
}
