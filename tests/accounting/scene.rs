//! A template and rows in a folder, and what the program says of them.

use assert_cmd::Command;
use serde_json::{Value, json};

pub struct Scene {
    pub folder: tempfile::TempDir,
    tokenizer: &'static str,
}

impl Scene {
    pub fn new(template: &str, rows: &[Value]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        std::fs::write(folder.path().join("t.jinja"), template).expect("written");
        std::fs::write(folder.path().join("rows.jsonl"), rows.join("\n") + "\n").expect("written");
        Self { folder, tokenizer: "sample:phi-2" }
    }

    /// With a tokenizer that has `<|im_start|>` and `<|im_end|>`.
    pub fn with_tokens(template: &str, rows: &[Value]) -> Self {
        Self { tokenizer: "sample:qwen", ..Self::new(template, rows) }
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        self.run_as("unsloth", arguments)
    }

    /// The same by another strategy.
    pub fn run_as(&self, strategy: &str, arguments: &[&str]) -> String {
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        let setup = ["-t", self.tokenizer, "--template", "t.jinja", "--preprocess", strategy];
        let output =
            command.current_dir(self.folder.path()).args(arguments).args(setup).output().expect("runs");
        assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Of each sample, what the text does not have.
    pub fn not_carried(&self) -> Vec<Vec<String>> {
        let lines = self.run(&["inspect", "-d", "rows.jsonl", "--format", "jsonl"]);
        let texts = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("JSON");
            let list = row.get("not_carried").and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().map(|text| text.as_str().expect("a text").to_string()).collect()
        };
        lines.lines().map(texts).collect()
    }

    /// A finding of the doctor.
    pub fn finding(&self, id: &str) -> Value {
        let report: Value =
            serde_json::from_str(&self.run(&["doctor", "-d", "rows.jsonl", "--format", "json"]))
                .expect("JSON");
        let findings = report["findings"].as_array().expect("findings");
        findings.iter().find(|finding| finding["id"] == id).expect("the check").clone()
    }
}

pub fn turn(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

pub fn row(messages: Value) -> Value {
    json!({"messages": messages})
}
