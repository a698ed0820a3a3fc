//! Changes of conversations, and their Python on the rows of every layout.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::chat::{Columns, Conversation, Sample, sample_of};

fn changed(fix: &DataFix, messages: Value) -> Option<Value> {
    let messages = messages.as_array().unwrap().clone();
    let conversation = Conversation { messages, ..Conversation::default() };
    fix.apply(&conversation).map(|changed| Value::Array(changed.messages))
}

#[test]
fn arguments_go_both_ways() {
    let object = json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, null]}}}]}]);
    let text = changed(&DataFix::DumpArguments, object.clone()).unwrap();
    assert_eq!(text[0]["tool_calls"][0]["function"]["arguments"], "{\"a\": [1, null]}");
    assert_eq!(changed(&DataFix::ParseArguments, text), Some(object.clone()));
    assert_eq!(changed(&DataFix::ParseArguments, object), None);
}

#[test]
fn turns_are_merged_moved_and_left_out() {
    let turns = json!([{"role": "system", "content": "s"}, {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "a"}, {"role": "user", "content": "b"}]);
    let merged = changed(&DataFix::MergeTurns, turns.clone()).unwrap();
    assert_eq!(merged[2]["content"], "a\n\nb");
    let left = changed(&DataFix::DropLeadingAnswers, turns.clone()).unwrap();
    assert_eq!((left[0]["content"].as_str(), left[1]["content"].as_str()), (Some("s"), Some("a")));
    assert_eq!(changed(&DataFix::DropOpenQuestion, turns.clone()).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(changed(&DataFix::SystemIntoUser, turns), None, "an answer follows");
    let short = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]);
    let expected = json!([{"role": "user", "content": "s\n\na"}]);
    assert_eq!(changed(&DataFix::SystemIntoUser, short), Some(expected));
}

#[test]
fn parts_become_one_text_or_stay() {
    let turns = |parts: Value| json!([{"role": "user", "content": parts}]);
    let media = turns(
        json!([{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "What?"}]),
    );
    assert_eq!(changed(&DataFix::JoinParts, media).unwrap()[0]["content"], "<image>What?");
    let call = turns(json!([{"type": "text", "text": "a"}, {"type": "tool_use", "name": "f", "input": {}}]));
    assert_eq!(changed(&DataFix::JoinParts, call), None, "the call would be gone");
}

#[test]
fn calls_that_are_turns_become_calls_of_a_turn() {
    let turns = json!([{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "I look."},
        {"role": "tool_call", "content": "{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}"},
        {"role": "tool_call", "content": "{\"name\": \"now\"}"}, {"role": "tool_response", "content": "3"},
        {"role": "tool_call", "content": "no JSON"}]);
    let changed = changed(&DataFix::CallTurns, turns).unwrap();
    assert_eq!(
        changed[1]["tool_calls"][0]["function"],
        json!({"name": "weather", "arguments": {"city": "Oslo"}})
    );
    assert_eq!(changed[1]["tool_calls"][1]["function"], json!({"name": "now", "arguments": {}}));
    assert_eq!((changed[2]["role"].as_str(), changed[3]["role"].as_str()), (Some("tool"), Some("tool_call")));
}

#[test]
fn words_become_parts() {
    let turns = json!([{"role": "user", "content": "<image>\nHow many? <image>"}]);
    let parts = json!([{"type": "image"}, {"type": "text", "text": "How many? "}, {"type": "image"}]);
    assert_eq!(changed(&DataFix::WordsAsParts, turns).unwrap()[0]["content"], parts);
}

/// Every change once, the ones that need a companion with it.
fn changes() -> Vec<DataFix> {
    let all = DataFix::FOR_REFUSED.into_iter().chain(DataFix::FOR_LOST).chain(DataFix::FOR_MEDIA);
    let mut changes = vec![DataFix::Variable("enable_thinking".into(), false)];
    for change in all {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes
}

/// Rows of every layout, with what is odd in public data.
fn rows() -> Vec<Value> {
    let call = |arguments: Value| json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let tool = json!({"type": "function", "function": {"name": "weather", "description": "Wetter in Köln"}});
    let with_calls = |call: Value| {
        json!([{"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "name": "weather", "content": "3"}, {"role": "assistant", "content": "Three."}])
    };
    let messages = |messages: Value| json!({"messages": messages});
    vec![
        json!({"messages": with_calls(call(json!({"city": "Köln", "n": 1.5, "x": null, "big": 1e20}))), "tools": [tool]}),
        json!({"messages": with_calls(call(json!("{\"city\": \"Köln\"}"))), "tools": json!([tool]).to_string()}),
        messages(with_calls(call(json!("not JSON")))),
        messages(with_calls(call(json!([1, 2])))),
        messages(with_calls(json!({"name": "weather"}))),
        messages(with_calls(json!({"name": "weather", "function": null, "arguments": {"a": 1}}))),
        json!({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"},
            {"role": "user", "content": "b", "name": null}, {"role": "assistant", "content": ""}, {"role": "assistant", "content": "c"},
            {"role": "user", "content": "open"}], "tools": [tool], "chat_template_kwargs": {"a": 1}}),
        json!({"system": "Be brief.", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": [tool]}),
        messages(
            json!([{"role": "developer", "content": "Be brief."}, {"role": "human", "content": "a"}, {"role": "model", "content": "b"}]),
        ),
        messages(json!([{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "reasoning_content": "", "reasoning": "why", "thinking": null}])),
        messages(json!([{"role": "user", "content": "a"}, {"role": "assistant", "thinking": "why"},
            {"role": "user", "content": "b"}, {"role": "assistant", "content": [{"type": "text", "text": "c"}], "reasoning": "x"}])),
        messages(
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "image_url", "image_url": "b.png"}, {"type": "image_url"}]},
            {"role": "assistant", "content": []}, {"role": "user", "content": [{"type": "tool_result", "content": "x"}, "plain"]}, {"role": "assistant", "content": "c"}]),
        ),
        messages(
            json!([{"role": "user", "content": "<image>\nWhat? <image>"}, {"role": "assistant", "content": "<image>"}]),
        ),
        messages(json!([{"role": "user", "content": "only"}])),
        messages(
            json!([{"role": "user", "content": "a"}, {"role": "tool_call", "content": "{\"name\": \"f\", \"arguments\": [1.5]}"},
            {"role": "tool_response", "content": "3"}, {"role": "assistant", "content": "b", "tool_calls": null},
            {"role": "function_call", "content": "{\"name\": null}"}, {"role": "tool_call", "content": "[1]"},
            {"role": "tool_call", "content": ""}, {"role": "tool_call", "content": null}, {"role": "observation", "content": "c"}]),
        ),
        messages(json!([{"role": "tool_call", "content": "{}"}, {"role": "tool_response", "content": "3"}])),
        json!({"conversations": [{"role": "system", "content": "s"}, {"role": "user", "content": "<image>a"}, {"role": "assistant", "content": "b"}]}),
        json!({"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "<image>\na"}, {"from": "human", "value": "b"},
            {"from": "gpt", "value": "c", "train": false}, {"from": "human", "value": "d"}]}),
        json!({"system": "s", "conversations": [{"from": "gpt", "value": "hi"}, {"from": "human", "value": "a"}, {"from": "function_call", "value": "{}"},
            {"from": "observation", "value": "3"}, {"from": "gpt", "value": "c", "reasoning": "why"}], "tools": json!([tool]).to_string()}),
        json!({"dialog": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}),
        json!({"instruction": "<image>a", "input": "b", "output": "c", "system": "s", "history": [["q", "r"]]}),
        json!({"query": "a", "response": "c", "system": "s", "history": [["q", "r"]]}),
        json!({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}),
    ]
}

fn sample(row: &Value) -> Sample {
    sample_of(row, None, 0, 1, std::path::Path::new("rows.jsonl")).expect("a sample")
}

fn conversation(row: &Value) -> Conversation {
    sample(row).conversation().expect("a conversation").into_owned()
}

#[test]
#[ignore = "needs python3 (MASKSCOPE_PYTHON)"]
fn the_python_does_what_the_change_does() {
    const RUN: &str = "import json, sys\nfor line in sys.stdin:\n    code, row = json.loads(line)\n    try:\n        scope = {'row': row}\n        exec(code, scope)\n        print(json.dumps(scope['row']))\n    except Exception as e:\n        print(json.dumps(f'{type(e).__name__}: {e}'))\n";
    let python = std::env::var_os("MASKSCOPE_PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(python)
        .args(["-c", RUN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let cases: Vec<(DataFix, Value)> = changes()
        .into_iter()
        .flat_map(|change| rows().into_iter().map(move |row| (change.clone(), row)))
        .collect();
    let mut input = String::new();
    for (change, row) in &cases {
        let code = program(std::slice::from_ref(change), sample(row).columns);
        input.push_str(&format!("{}\n", json!([code, row])));
    }
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("python3 ends");
    writer.join().expect("joins").expect("written");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(lines.lines().count(), cases.len());
    let mut different = Vec::new();
    for ((change, row), line) in cases.iter().zip(lines.lines()) {
        let after: Value = serde_json::from_str(line).expect("JSON");
        if after.is_string() {
            different.push(format!("{change:?} raises {after} on {row}"));
            continue;
        }
        let before = conversation(row);
        let mut expected = change.apply(&before).unwrap_or(before);
        let mut got = conversation(&after);
        // A null of a message is no key of it.
        expected.messages.iter_mut().chain(&mut got.messages).for_each(without_nulls);
        if got != expected {
            different.push(format!("{change:?} on {row}\n  python: {got:?}\n  here:   {expected:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn without_nulls(message: &mut Value) {
    if let Some(message) = message.as_object_mut() {
        message.retain(|_, value| !value.is_null());
    }
}

#[test]
fn the_python_is_for_the_columns_of_the_data() {
    for (columns, says) in [
        (Columns::Messages("messages"), "messages = row[\"messages\"]"),
        (Columns::Turns("conversations"), "for turn in row[\"conversations\"]"),
        (Columns::Messages("dialog"), "row[\"dialog\"] = messages"),
    ] {
        let code = program(&[DataFix::MergeTurns], columns);
        assert!(code.contains(says), "{code}");
    }
    assert!(program(&[DataFix::ParseArguments], Columns::Messages("messages")).starts_with("import json\n"));
}
