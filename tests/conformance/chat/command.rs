//! The goldens through the binary itself: all conversations in one run, a few templates and strategies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::records::{Tally, json_lines};
use super::setups::{Setups, expected};

const RUNS: [(&str, &str, &str); 5] = [
    ("qwen3.training", "qwen3", "hf_generation"),
    ("qwen3.base", "qwen3", "oi_prefix"),
    ("llama3.base", "llama3", "unsloth"),
    ("phi3.base", "llama2_phi3", "trl_collator_instr"),
    ("gemma.base", "gemma", "axolotl_turn"),
];

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn labels_by_the_binary() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let setups = Setups::new(&root);
    let records = json_lines(&dir.join("render_masks.jsonl.gz"));
    let mut tally = Tally::new("inspect");
    for (template, tokenizer, strategy) in RUNS {
        let path = dir.join(format!("templates/{template}.jinja"));
        let output = assert_cmd::Command::cargo_bin("maskscope")
            .unwrap()
            .args(["inspect", "--format", "jsonl", "--clock", "2026-11-23", "--preprocess", strategy])
            .args(["-t".as_ref(), setups.folder(tokenizer).as_os_str()])
            .args(["-d".as_ref(), dir.join("conversations.jsonl").as_os_str()])
            .args(["--template".as_ref(), path.as_os_str()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: BTreeMap<String, Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|line| (line["id"].as_str().unwrap().to_string(), line))
            .collect();
        let (name, variant) = template.split_once('.').unwrap();
        for record in records.iter().filter(|r| r["template"] == name && r["variant"] == variant) {
            let (id, line) = (record["id"].as_str().unwrap(), &lines[record["conv"].as_str().unwrap()]);
            let golden = &record["labels"][strategy];
            let error = record["error"].as_str().or(golden["error"].as_str());
            if let Some(error) = error {
                let found = format!(
                    "{}: {}",
                    line["error"]["type"].as_str().unwrap_or_default(),
                    line["error"]["message"].as_str().unwrap_or_default()
                );
                tally.check(strategy, id, &found.starts_with(error), &true);
                continue;
            }
            if golden.is_null() {
                // The trainer was not run on this conversation.
                continue;
            }
            let (ids, labels) = expected(golden, &record["input_ids"]).unwrap();
            tally.check("input_ids", id, &line["input_ids"], &serde_json::json!(ids));
            tally.check(strategy, id, &line["labels"], &serde_json::json!(labels));
            if golden["input_ids"].is_null() {
                tally.check("prompt", id, &line["prompt"], &record["text"]);
            }
        }
    }
    tally.finish();
}
