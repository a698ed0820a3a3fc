//! Small templates under releases of transformers, against `tests/golden/chat_releases/RELEASE.jsonl`, which
//! `tests/scripts/record_chat_releases.py` has recorded.

use std::path::Path;

use maskscope::chat::jinja::{ChatTemplate, Clock, Inputs};
use maskscope::tokenizer::Release;
use serde_json::{Map, Value, json};

fn check(release: Release) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/golden/chat_releases/{}.jsonl", release.name()));
    let mut records = crate::records(&path).into_iter();
    let given = records.next().expect("the inputs");
    let (mut checked, mut wrong) = (0, Vec::new());
    for record in records {
        let name = |key: &str| record[key].as_str().expect("a name").to_string();
        let (template, conversation, options) = (name("template"), name("conversation"), name("options"));
        let source = given["templates"][&template].as_str().expect("a template");
        let messages = given["conversations"][&conversation].as_array().expect("messages");
        let options = given["options"][&options].as_object().expect("options");
        let special: Map<String, Value> =
            json!({"bos_token": "<s>", "unk_token": "[UNK]"}).as_object().expect("a map").clone();
        let kwargs: Map<String, Value> = options
            .iter()
            .filter(|(key, _)| *key == "enable_thinking")
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let inputs = Inputs {
            messages,
            tools: options.get("tools").and_then(Value::as_array).map(Vec::as_slice),
            special_tokens: Some(&special),
            kwargs: Some(&kwargs),
            add_generation_prompt: options.contains_key("add_generation_prompt"),
            ..Inputs::default()
        };
        let rendered = ChatTemplate::new("t", source, Clock::parse("2026-11-23").expect("a date"))
            .expect("compiles")
            .of_release(release)
            .render(&inputs);
        checked += 1;
        let right = match (&rendered, record["text"].as_str()) {
            (Ok(rendered), Some(text)) => rendered.text == text,
            (Err(error), None) => error.exception().is_some_and(|exception| {
                let message = record["message"].as_str().unwrap_or_default();
                record["error"].as_str() == Some(&*exception.kind)
                    && message.starts_with(exception.message.as_str())
            }),
            _ => false,
        };
        if !right {
            let got = rendered.map(|rendered| rendered.text).map_err(|error| error.to_string());
            wrong.push(format!("{template} {conversation}: {record}\n   here: {got:?}"));
        }
    }
    assert!(checked > 400, "{checked} records");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn transformers_4_37() {
    check(Release::V4_37);
}

#[test]
fn transformers_4_57() {
    check(Release::V4_57);
}

#[test]
fn transformers_5() {
    check(Release::V5);
}
