//! The other label files of golden/chat: edge templates, axolotl's details, LLaMA-Factory, LLaVA-NeXT.

use maskscope::chat::jinja::{ChatTemplate, Inputs};
use maskscope::masks::{Chat, Masked, axolotl, hf_generation, llamafactory, llava_next};
use serde_json::{Value, json};

use super::records::{Tally, json_lines, u32s};
use super::strategies::{compare, error_text, template};
use super::tokenizer::Tokenizers;
use super::{clock, conversations, sample};

#[test]
fn generation_edge_cases() {
    let Some(root) = crate::root("golden/chat edges") else { return };
    let tokenizers = Tokenizers::new(&root);
    let mut tally = Tally::new("hf_generation_edge");
    for record in json_lines(&root.join("golden/chat/hf_generation_edge.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let template = ChatTemplate::new(id, record["template"].as_str().unwrap(), clock()).unwrap();
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let chat = Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        let sample = sample(&record);
        let inputs = Inputs {
            messages: &sample.messages,
            special_tokens: Some(&tokenizer.special_tokens),
            ..Inputs::default()
        };
        let rendered = template.render(&inputs).unwrap();
        tally.check("text", id, &rendered.text.as_str(), &record["text"].as_str().unwrap());
        let spans: Vec<Value> = rendered.spans.iter().map(|s| json!([s.chars.start, s.chars.end])).collect();
        tally.check("spans", id, &Value::Array(spans), &record["gen_char_spans"]);
        let max_length = record["tokenizer_kwargs"]["max_length"].as_u64().map(|n| n as usize);
        let found = hf_generation::label(&chat, &sample, max_length).map_err(|e| error_text(&e));
        match record["error"].as_str() {
            Some(error) => tally.check("mask", id, &found.map(|m| m.spans()), &Err(error.to_string())),
            None => {
                let ids = u32s(&record["input_ids"]);
                let mask = u32s(&record["assistant_masks"]);
                let labels = ids.iter().zip(mask).map(|(id, on)| if on == 1 { i64::from(*id) } else { -100 });
                let expected = (ids.clone(), labels.collect::<Vec<_>>());
                tally.check("mask", id, &found.map(|m| (m.input_ids, m.labels)), &Ok(expected));
            }
        }
    }
    tally.finish();
}

#[test]
fn axolotl_details() {
    let Some(root) = crate::root("golden/chat axolotl_detail") else { return };
    let dir = root.join("golden/chat");
    let tokenizers = Tokenizers::new(&root);
    let mut tally = Tally::new("axolotl_detail");
    for record in json_lines(&dir.join("axolotl_detail.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let template = template(&dir, &format!("{}.base", record["template"].as_str().unwrap()));
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let chat = Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        let when = |value: &Value| match value.as_str() {
            Some("all") => axolotl::EndTokens::All,
            Some("last") => axolotl::EndTokens::Last,
            Some("turn") => axolotl::EndTokens::Turn,
            _ => axolotl::EndTokens::None,
        };
        let options = axolotl::Options {
            train_on_eos: when(&record["train_on_eos"]),
            eot_tokens: record["eot_tokens"].as_array().map(|list| {
                list.iter().map(|token| token.as_str().unwrap().to_string()).collect()
            }),
            message_field_training: "train".into(),
            message_field_training_detail: "train_detail".into(),
            ..axolotl::Options::default()
        };
        let ids = u32s(&record["input_ids"]);
        compare(&mut tally, "axolotl", id, axolotl::label(&chat, &sample(&record), &options), &record, &ids);
    }
    tally.finish();
}

#[test]
fn llamafactory_labels() {
    let Some(root) = crate::root("golden/chat llamafactory") else { return };
    let dir = root.join("golden/chat");
    let (conversations, tokenizers) = (conversations(&dir), Tokenizers::new(&root));
    let mut tally = Tally::new("llamafactory");
    for record in json_lines(&dir.join("llamafactory.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let opts = &record["opts"];
        let mut options = llamafactory::Options {
            mask_history: opts["mask_history"] == true,
            train_on_prompt: opts["train_on_prompt"] == true,
            ..llamafactory::Options::default()
        };
        if let Some(cutoff) = opts["cutoff_len"].as_u64() {
            options.cutoff_len = cutoff as usize;
        }
        if !opts["enable_thinking"].is_null() {
            options.enable_thinking = opts["enable_thinking"].as_bool();
        }
        let Ok(mut template) = llamafactory::SlotTemplate::by_name(record["lf_template"].as_str().unwrap()) else {
            tally.skip(record["lf_template"].as_str().unwrap());
            continue;
        };
        template.efficient_eos |= record["efficient_eos"] == true;
        let messages = &conversations[record["conv"].as_str().unwrap()].messages;
        let found = llamafactory::label(&*tokenizer, &template, messages, &options);
        let ids = u32s(&record["input_ids"]);
        compare(&mut tally, "labels", id, found, &record, &ids);
    }
    tally.finish();
}

#[test]
fn llava_next_labels() {
    let Some(root) = crate::root("golden/chat llava_next") else { return };
    let dir = root.join("golden/chat");
    let (conversations, tokenizers) = (conversations(&dir), Tokenizers::new(&root));
    let mut tally = Tally::new("llava_next");
    for record in json_lines(&dir.join("llava_next.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let messages = &conversations[record["conv"].as_str().unwrap()].messages;
        let found: Result<Masked, _> = match record["strategy"].as_str().unwrap() {
            "preprocess_qwen" => llava_next::qwen(&*tokenizer, messages),
            "preprocess_llama3" => llava_next::llama3(&*tokenizer, messages),
            "preprocess_gemma" => llava_next::gemma(&*tokenizer, messages, 2048),
            other => {
                tally.skip(other);
                continue;
            }
        };
        let ids = u32s(&record["input_ids"]);
        compare(&mut tally, record["strategy"].as_str().unwrap(), id, found, &record, &ids);
    }
    tally.finish();
}
