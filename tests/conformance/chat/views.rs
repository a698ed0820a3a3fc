//! What the screens and the doctor make of every template and conversation of golden/chat: invariants, and a count of
//! what the doctor says (`--nocapture` shows it), so that a false alarm is seen.

use std::collections::BTreeMap;
use std::path::Path;

use maskscope::diagnose::{ChatPlan, ChatSample, Verdict, diagnose_chat};
use maskscope::masks::compare::{Comparison, End};
use maskscope::masks::encoder::Encoder;
use maskscope::masks::strategies::{Ids, Settings, Strategy};
use maskscope::masks::turns::Part;
use maskscope::masks::{Chat, Sample};

use super::strategies::template;
use super::tokenizer::Tokenizers;
use super::{conversations, records};

/// Every (template, variant, tokenizer) of the goldens with its conversations.
fn combinations(dir: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = records::json_lines(&dir.join("render_masks.jsonl.gz"))
        .iter()
        .map(|record| {
            let text = |key: &str| record[key].as_str().unwrap().to_string();
            (format!("{}.{}", text("template"), text("variant")), text("tokenizer"))
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn comparisons_cover_every_token() {
    let Some(root) = crate::root("golden/chat views") else { return };
    let dir = root.join("golden/chat");
    let (conversations, tokenizers) = (conversations(&dir), Tokenizers::new(&root));
    let (mut compared, mut explained) = (0, 0);
    for (name, tokenizer) in combinations(&dir) {
        let (template, tokenizer) = (template(&dir, &name), tokenizers.get(&tokenizer));
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        for (conv, sample) in &conversations {
            let Ok(comparison) = Comparison::new(&chat, sample, &Settings::default()) else { continue };
            compared += 1;
            let len = comparison.turns.encoded.ids.len();
            assert_eq!(comparison.turns.places.len(), len, "{name} {conv}");
            let blocks = comparison.turns.messages.iter().map(|m| m.block.len()).sum::<usize>();
            assert_eq!(blocks, comparison.turns.text.chars().count(), "{name} {conv}: blocks tile the text");
            for (index, strip) in comparison.strips.iter().enumerate() {
                if strip.end != End::Labels {
                    continue;
                }
                assert_eq!(strip.cells.len(), len);
                // Ids of the rendered text have their place on the line, each one.
                if strip.strategy.ids == Ids::Rendered {
                    assert_eq!(strip.elsewhere, 0, "{name} {conv} {}", strip.strategy.name);
                    let learned = strip.cells.iter().filter(|cell| cell.is_learned()).count();
                    assert_eq!(learned, strip.supervised, "{name} {conv} {}", strip.strategy.name);
                }
                for run in &comparison.differences {
                    let why = comparison.why(index, run.tokens.start, &*tokenizer);
                    assert!(!why.is_empty(), "{name} {conv} {}", strip.strategy.name);
                    explained += 1;
                }
            }
        }
    }
    eprintln!("views: {compared} comparisons, {explained} cells explained");
}

#[test]
fn messages_are_found_in_their_blocks() {
    let Some(root) = crate::root("golden/chat turns") else { return };
    let dir = root.join("golden/chat");
    let (conversations, tokenizers) = (conversations(&dir), Tokenizers::new(&root));
    let mut bad = Vec::new();
    let mut count = 0;
    for (name, tokenizer) in combinations(&dir) {
        let (template, tokenizer) = (template(&dir, &name), tokenizers.get(&tokenizer));
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        for (conv, sample) in &conversations {
            let Ok(comparison) = Comparison::new(&chat, sample, &Settings::default()) else { continue };
            let turns = &comparison.turns;
            for (index, (message, value)) in turns.messages.iter().zip(&sample.messages).enumerate() {
                let Some(text) = value["content"].as_str().filter(|t| !t.trim().is_empty()) else { continue };
                count += 1;
                if message.content.is_none() && turns.text.contains(text.trim()) {
                    bad.push(format!("{name} {conv} message {index}: block {:?}", turns.slice(message.block.clone())));
                }
                // The end of an answer is not in its body.
                let body: Vec<usize> = turns.tokens_of(index, Part::Body).collect();
                let specials = body.iter().filter(|t| {
                    let id = turns.encoded.ids[**t];
                    tokenizer.is_special(id) && !text.contains(&tokenizer.id_to_token(id).unwrap())
                });
                let strange = specials.count();
                if message.is_answer() && strange > 0 && value.get("tool_calls").is_none() {
                    bad.push(format!("{name} {conv} message {index}: {strange} special tokens in the body"));
                }
            }
        }
    }
    eprintln!("turns: {count} messages looked for, {} not right", bad.len());
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// What the doctor says of each template under each strategy that its trainer would use.
#[test]
fn doctor_of_real_templates() {
    let Some(root) = crate::root("golden/chat doctor") else { return };
    let dir = root.join("golden/chat");
    let (conversations, tokenizers) = (conversations(&dir), Tokenizers::new(&root));
    let samples: Vec<ChatSample> = conversations
        .iter()
        .enumerate()
        .map(|(index, (id, sample)): (usize, (&String, &Sample))| ChatSample {
            index,
            id: id.clone(),
            sample: sample.clone(),
        })
        .collect();
    let wanted = std::env::var("CHAT_DOCTOR").ok();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (name, tokenizer) in combinations(&dir) {
        let (template, tokenizer) = (template(&dir, &name), tokenizers.get(&tokenizer));
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        let stops: Vec<u32> = tokenizer.eos_id().into_iter().collect();
        for strategy in ["hf_generation", "oi_prefix", "unsloth", "axolotl_turn", "oi_legacy_mask_labels"] {
            if strategy == "hf_generation" && !template.has_generation_tags() {
                continue;
            }
            let plan = ChatPlan {
                chat,
                strategy: Strategy::named(strategy).unwrap(),
                settings: Settings::default(),
                stops: &stops,
                knows_generation_config: false,
            };
            let report = diagnose_chat(&plan, &samples);
            for finding in &report.findings {
                if finding.verdict < Verdict::Note {
                    continue;
                }
                *counts.entry((finding.id, finding.verdict.name())).or_default() += 1;
                if wanted.as_ref().is_some_and(|w| w == "all" || *w == finding.id || *w == name) {
                    eprintln!(
                        "{name} {strategy} {} {} {} [{} samples]\n    {}",
                        finding.id,
                        finding.verdict.name(),
                        finding.title,
                        finding.samples.len(),
                        finding.cause
                    );
                    for e in &finding.evidence {
                        eprintln!("      {}: {}", e.what, e.value);
                    }
                    if let Some(fix) = &finding.fix {
                        eprintln!("      fix: {} {:?}", fix.code, fix.effect);
                    }
                }
            }
        }
    }
    for ((id, verdict), count) in counts {
        eprintln!("doctor: {id} {verdict}: {count}");
    }
}
