//! The other label files of golden/chat: edge templates, axolotl's details, LLaMA-Factory, LLaVA-NeXT.

use maskscope::chat::jinja::{ChatTemplate, Inputs};
use maskscope::masks::image_tokens::{ImageSize, Processor};
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
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
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
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        let when = |value: &Value| match value.as_str() {
            Some("all") => axolotl::EndTokens::All,
            Some("last") => axolotl::EndTokens::Last,
            Some("turn") => axolotl::EndTokens::Turn,
            _ => axolotl::EndTokens::None,
        };
        let options = axolotl::Options {
            train_on_eos: when(&record["train_on_eos"]),
            eot_tokens: record["eot_tokens"]
                .as_array()
                .map(|list| list.iter().map(|token| token.as_str().unwrap().to_string()).collect()),
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
        let Ok(mut template) = llamafactory::SlotTemplate::by_name(record["lf_template"].as_str().unwrap())
        else {
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

#[test]
fn image_tokens() {
    let Some(root) = crate::root("golden/chat image_tokens") else { return };
    let path = root.join("golden/chat/image_tokens.json");
    if !path.exists() {
        eprintln!("SKIPPED {}: not there", path.display());
        return;
    }
    let records: Vec<Value> = serde_json::from_str(&crate::read_text(&path)).unwrap();
    let pinpoints = vec![(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)];
    let llava_next = Processor::LlavaNext {
        image_size: 336,
        patch_size: 14,
        additional: 1,
        drop_class_token: true,
        grid_pinpoints: pinpoints,
    };
    let qwen = |patch_size, min_pixels, max_pixels| Processor::QwenVl {
        patch_size,
        merge_size: 2,
        min_pixels,
        max_pixels,
    };
    let processors = [
        ("qwen2_vl", qwen(14, 3136, 1_003_520)),
        ("qwen2_5_vl_7b", qwen(14, 3136, 12_845_056)),
        ("qwen3_vl", qwen(16, 65_536, 16_777_216)),
        (
            "llava15",
            Processor::Llava { image_size: 336, patch_size: 14, additional: 1, drop_class_token: true },
        ),
        ("llava_next_336", llava_next),
        (
            "internvl3",
            Processor::InternVl { tile_size: 448, seq_length: 256, min_patches: 1, max_patches: 12 },
        ),
        ("idefics3", Processor::Idefics3 { longest_edge: 1456, tile_size: 364, seq_length: 169 }),
        ("gemma3", Processor::Gemma3 { tokens: 256 }),
    ];
    let mut tally = Tally::new("image_tokens");
    for record in &records {
        let side = |key: &str| record[key].as_u64().unwrap() as usize;
        let size = ImageSize { height: side("h"), width: side("w") };
        for (name, expected) in
            record.as_object().unwrap().iter().filter(|(key, _)| !["h", "w"].contains(&key.as_str()))
        {
            let Some((_, processor)) = processors.iter().find(|(known, _)| known == name) else {
                tally.skip(name);
                continue;
            };
            let found = processor.count(size).unwrap();
            let id = format!("{}x{}", size.height, size.width);
            match expected.as_u64() {
                Some(count) => tally.check(name, &id, &found.count, &(count as usize)),
                None => {
                    let (rows, cols) = found.grid.unwrap();
                    let found = json!({"image_tokens": found.count, "rows": rows, "cols": cols});
                    tally.check(name, &id, &found, expected);
                }
            }
        }
    }
    tally.finish();
}
