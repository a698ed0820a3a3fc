//! `golden/chat`: rendered text, ids, generation spans and the labels of every mask strategy.
//!
//! Works on any folder of that layout. Every record must match exactly; one that names a strategy, a template or a
//! processor that the program does not have is a miss.

mod command;
mod files;
mod real_templates;
pub mod records;
mod releases;
mod setups;
mod strategies;
pub mod tokenizer;
mod views;

use std::collections::BTreeMap;
use std::path::Path;

use maskscope::chat::Conversation;
use maskscope::chat::jinja::{ChatTemplate, Clock, Inputs};
use serde_json::Value;

use self::records::{Tally, json_lines, u32s};
use self::tokenizer::{TestTokenizer, Tokenizers};

/// The clock of the goldens.
pub fn clock() -> Clock {
    Clock::parse("2026-11-23").unwrap()
}

/// A line of conversations.jsonl.
pub fn sample(record: &Value) -> Conversation {
    Conversation {
        messages: record["messages"].as_array().cloned().unwrap_or_default(),
        tools: record["tools"].as_array().cloned(),
        kwargs: record["kwargs"].as_object().cloned().unwrap_or_default(),
    }
}

pub fn conversations(dir: &Path) -> BTreeMap<String, Conversation> {
    json_lines(&dir.join("conversations.jsonl"))
        .iter()
        .map(|r| (r["conv"].as_str().unwrap().to_string(), sample(r)))
        .collect()
}

/// The lines of conversations.jsonl as samples, read as a data file is.
pub fn samples(dir: &Path) -> BTreeMap<String, maskscope::chat::Sample> {
    let path = dir.join("conversations.jsonl");
    let path = if path.exists() { path } else { dir.join("conversations.jsonl.gz") };
    let file = maskscope::chat::read_samples(&path, None).unwrap();
    file.samples.into_iter().map(|sample| (sample.id.clone(), sample)).collect()
}

fn inputs<'a>(conversation: &'a Conversation, tokenizer: &'a TestTokenizer) -> Inputs<'a> {
    Inputs {
        messages: &conversation.messages,
        tools: conversation.tools.as_deref(),
        special_tokens: Some(&tokenizer.special_tokens),
        kwargs: Some(&conversation.kwargs),
        ..Inputs::default()
    }
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn rendered_text_ids_and_spans() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let conversations = conversations(&dir);
    let tokenizers = Tokenizers::new(&root);
    let mut tally = Tally::new("render_masks");
    for record in json_lines(&dir.join("render_masks.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let name =
            format!("{}.{}", record["template"].as_str().unwrap(), record["variant"].as_str().unwrap());
        let source = std::fs::read_to_string(dir.join(format!("templates/{name}.jinja"))).unwrap();
        let template = ChatTemplate::new(&name, &source, clock()).unwrap();
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let conversation = &conversations[record["conv"].as_str().unwrap()];
        let rendered = template.render(&inputs(conversation, &tokenizer));
        if let Some(error) = record["error"].as_str() {
            let found = rendered
                .map(|r| r.text)
                .map_err(|e| e.exception().map(ToString::to_string).unwrap_or(e.to_string()));
            tally.check("error", id, &found.err().as_deref(), &Some(error));
            continue;
        }
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(error) => {
                tally.fail("text", id, error.to_string());
                continue;
            }
        };
        tally.check("text", id, &rendered.text.as_str(), &record["text"].as_str().unwrap());
        let ids = tokenizer.encode_plain(&rendered.text);
        tally.check("ids", id, &ids, &u32s(&record["input_ids"]));
        if let Some(spans) = record["gen_char_spans"].as_array() {
            let found: Vec<Value> =
                rendered.spans.iter().map(|s| serde_json::json!([s.chars.start, s.chars.end])).collect();
            tally.check("spans", id, &found, spans);
        }
        let prompt =
            template.render(&Inputs { add_generation_prompt: true, ..inputs(conversation, &tokenizer) });
        let prompt = prompt.map(|r| r.text).unwrap_or_else(|e| e.to_string());
        if let Some(suffix) = record["gen_prompt_suffix"].as_str() {
            tally.check("prompt", id, &prompt.strip_prefix(&rendered.text), &Some(suffix));
        }
        if let Some(full) = record["gen_prompt_full"].as_str() {
            tally.check("prompt", id, &prompt.as_str(), &full);
        }
    }
    tally.finish();
}
