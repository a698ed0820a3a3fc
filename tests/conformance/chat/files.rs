//! The other label files of golden/chat: edge templates, axolotl's details, LLaMA-Factory, LLaVA-NeXT.

use maskscope::chat::jinja::{ChatTemplate, Inputs};
use maskscope::masks::image_tokens::{ImageProcessor, ImageSize};
use maskscope::masks::llamafactory;
use serde_json::{Value, json};

use super::records::{Tally, json_lines, u32s};
use super::setups::{self, ResolvedRequest, Setups, expected, outcome};
use super::tokenizer::Tokenizers;
use super::{clock, sample, samples};

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn generation_edge_cases() {
    let root = crate::root();
    let (tokenizers, setups) = (Tokenizers::new(&root), Setups::new(&root));
    let mut tally = Tally::new("hf_generation_edge");
    for record in json_lines(&root.join("golden/chat/hf_generation_edge.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let source = record["template"].as_str().unwrap();
        let template = ChatTemplate::new(id, source, clock()).unwrap();
        let tokenizer = record["tokenizer"].as_str().unwrap();
        let conversation = sample(&record);
        let special_tokens = &tokenizers.get(tokenizer).special_tokens;
        let inputs = Inputs {
            messages: &conversation.messages,
            special_tokens: Some(special_tokens),
            ..Inputs::default()
        };
        let rendered = template.render(&inputs).unwrap();
        tally.check("text", id, &rendered.text.as_str(), &record["text"].as_str().unwrap());
        let spans: Vec<Value> = rendered.spans.iter().map(|s| json!([s.chars.start, s.chars.end])).collect();
        tally.check("spans", id, &Value::Array(spans), &record["gen_char_spans"]);
        let wish = ResolvedRequest {
            source: Some(source),
            preprocess: "hf_generation",
            model_max_length: record["tokenizer_kwargs"]["max_length"].as_u64().map(|n| n as usize),
            ..ResolvedRequest::default()
        };
        let found = outcome(&setups.inspect(tokenizer, &wish, &setups::sample(&record)));
        let expected = match record["error"].as_str() {
            Some(error) => Err(error.to_string()),
            None => {
                let ids = u32s(&record["input_ids"]);
                let mask = u32s(&record["assistant_masks"]);
                let labels = ids.iter().zip(mask).map(|(id, on)| if on == 1 { i64::from(*id) } else { -100 });
                let labels = labels.collect();
                Ok((ids.into_iter().map(i64::from).collect(), labels))
            }
        };
        tally.check("mask", id, &found, &expected);
    }
    tally.finish();
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn axolotl_details() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let setups = Setups::new(&root);
    let mut tally = Tally::new("axolotl_detail");
    for record in json_lines(&dir.join("axolotl_detail.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let template = dir.join(format!("templates/{}.base.jinja", record["template"].as_str().unwrap()));
        let mut options = Vec::new();
        if let Some(when) = record["train_on_eos"].as_str() {
            options.push(format!("train_on_eos={when}"));
        }
        let eot: Option<Vec<&str>> =
            record["eot_tokens"].as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
        options.extend(eot.map(|tokens| format!("eot_tokens={}", tokens.join(","))));
        let wish = ResolvedRequest {
            template: template.to_str().unwrap(),
            preprocess: "axolotl",
            options,
            ..ResolvedRequest::default()
        };
        let tokenizer = record["tokenizer"].as_str().unwrap();
        let found = setups.inspect(tokenizer, &wish, &setups::sample(&record));
        tally.check("axolotl", id, &outcome(&found), &expected(&record, &record["input_ids"]));
    }
    tally.finish();
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn llamafactory_labels() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let (samples, setups) = (samples(&dir), Setups::new(&root));
    let mut tally = Tally::new("llamafactory");
    for record in json_lines(&dir.join("llamafactory.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let template = record["lf_template"].as_str().unwrap();
        if llamafactory::SlotTemplate::by_name(template).is_err() {
            tally.fail("labels", id, format!("no LLaMA-Factory template {template}"));
            continue;
        }
        let mut options = vec![format!("template={template}")];
        options.extend((record["efficient_eos"] == true).then(|| "efficient_eos=true".to_string()));
        for (key, value) in record["opts"].as_object().unwrap() {
            options.extend((!value.is_null()).then(|| format!("{key}={value}")));
        }
        let wish = ResolvedRequest { preprocess: "llamafactory", options, ..ResolvedRequest::default() };
        let sample = &samples[record["conv"].as_str().unwrap()];
        let found = setups.inspect(record["tokenizer"].as_str().unwrap(), &wish, sample);
        tally.check("labels", id, &outcome(&found), &expected(&record, &record["input_ids"]));
    }
    tally.finish();
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn llava_next_labels() {
    let root = crate::root();
    let dir = root.join("golden/chat");
    let (samples, setups) = (samples(&dir), Setups::new(&root));
    let mut tally = Tally::new("llava_next");
    for record in json_lines(&dir.join("llava_next.jsonl.gz")) {
        let id = record["id"].as_str().unwrap();
        let preprocess = record["strategy"].as_str().unwrap();
        let wish = ResolvedRequest { preprocess, ..ResolvedRequest::default() };
        let sample = &samples[record["conv"].as_str().unwrap()];
        let found = setups.inspect(record["tokenizer"].as_str().unwrap(), &wish, sample);
        tally.check(preprocess, id, &outcome(&found), &expected(&record, &record["input_ids"]));
    }
    tally.finish();
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn image_tokens() {
    let root = crate::root();
    let path = root.join("golden/chat/image_tokens.json");
    let records: Vec<Value> = serde_json::from_str(&crate::read_text(&path)).unwrap();
    let pinpoints = vec![(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)];
    let llava_next = ImageProcessor::LlavaNext {
        image_size: 336,
        patch_size: 14,
        additional: 1,
        drop_class_token: true,
        grid_pinpoints: pinpoints,
    };
    let qwen = |patch_size, min_pixels, max_pixels| ImageProcessor::QwenVl {
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
            ImageProcessor::Llava { image_size: 336, patch_size: 14, additional: 1, drop_class_token: true },
        ),
        ("llava_next_336", llava_next),
        (
            "internvl3",
            ImageProcessor::InternVl { tile_size: 448, seq_length: 256, min_patches: 1, max_patches: 12 },
        ),
        ("idefics3", ImageProcessor::Idefics3 { longest_edge: 1456, tile_size: 364, seq_length: 169 }),
        ("gemma3", ImageProcessor::Gemma3 { tokens: 256 }),
    ];
    let mut tally = Tally::new("image_tokens");
    for record in &records {
        let side = |key: &str| record[key].as_u64().unwrap() as usize;
        let size = ImageSize { height: side("h"), width: side("w") };
        for (name, expected) in
            record.as_object().unwrap().iter().filter(|(key, _)| !["h", "w"].contains(&key.as_str()))
        {
            let Some((_, processor)) = processors.iter().find(|(known, _)| known == name) else {
                tally.fail(name, "", "no such processor".to_string());
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
