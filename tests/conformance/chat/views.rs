//! What the screens and the doctor make of every template and conversation of golden/chat: invariants, and a count of
//! what the doctor says. `CHAT_DOCTOR=all` (or a check's id, or a template's name) prints the findings with
//! `--nocapture`, so that a false alarm is seen.

use std::collections::BTreeMap;
use std::path::Path;

use maskscope::diagnose::{Finding, Verdict, diagnose};
use maskscope::masks::anatomy::MessagePart;
use maskscope::masks::compare::{StrategyComparison, StripEnd};
use maskscope::masks::encoder::Encoder;
use maskscope::setup::Setup;
use serde_json::{Value, json};

use super::setups::{ResolvedRequest, Setups};
use super::{records, samples};

/// Every template of the goldens with its tokenizer, as a set-up of `strategy`.
fn each_setup(root: &Path, strategy: &str, mut see: impl FnMut(&str, Setup)) {
    let dir = root.join("golden/chat");
    let setups = Setups::new(root);
    let mut all: Vec<(String, String)> = records::json_lines(&dir.join("render_masks.jsonl.gz"))
        .iter()
        .map(|record| {
            let text = |key: &str| record[key].as_str().unwrap().to_string();
            (format!("{}.{}", text("template"), text("variant")), text("tokenizer"))
        })
        .collect();
    all.sort();
    all.dedup();
    for (name, tokenizer) in all {
        let template = dir.join(format!("templates/{name}.jinja"));
        let wish = ResolvedRequest {
            template: template.to_str().unwrap(),
            preprocess: strategy,
            ..ResolvedRequest::default()
        };
        see(&name, setups.setup(&tokenizer, &wish));
    }
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn comparisons_cover_every_token() {
    let root = crate::root();
    let samples = samples(&root.join("golden/chat"));
    let (mut compared, mut explained, mut bad) = (0, 0, Vec::new());
    each_setup(&root, "oi_prefix", |name, setup| {
        let (method, tokenizer) = (setup.chat().unwrap(), &*setup.tokenizer);
        for (conv, sample) in &samples {
            let Some(conversation) = sample.conversation() else { continue };
            let conversation = conversation.into_owned();
            let result = StrategyComparison::new(method, tokenizer, &conversation, &mut |_, _| true);
            let Ok(Some(comparison)) = result else { continue };
            compared += 1;
            let turns = &comparison.turns;
            let len = turns.encoded.ids.len();
            assert_eq!(turns.places.len(), len, "{name} {conv}");
            let blocks = turns.messages.iter().map(|m| m.block.len()).sum::<usize>();
            assert_eq!(blocks, turns.text.chars().count(), "{name} {conv}: blocks tile the text");
            for (index, strip) in comparison.strips.iter().enumerate() {
                let strategy = strip.labeller.name();
                if strip.end == StripEnd::Labels {
                    assert_eq!(strip.cells.len(), len);
                }
                // axolotl renders messages of its own making; all others have the ids of the line.
                if strip.end == StripEnd::Labels
                    && strip.labeller.needs_template()
                    && !strategy.starts_with("axolotl")
                {
                    let learned = strip.cells.iter().filter(|cell| cell.is_supervised()).count();
                    assert_eq!((strip.elsewhere, learned), (0, strip.supervised), "{name} {conv} {strategy}");
                }
                for run in &comparison.differences {
                    let why = comparison.why(index, run.tokens.start, tokenizer);
                    assert!(!why.is_empty(), "{name} {conv} {strategy}");
                    explained += 1;
                }
            }
            for (index, (message, value)) in turns.messages.iter().zip(&conversation.messages).enumerate() {
                let Some(text) = value["content"].as_str().filter(|t| !t.trim().is_empty()) else { continue };
                // Some templates put a system text into the first question.
                let merged = message.role == "system";
                if message.content.is_none() && turns.text.contains(text.trim()) && !merged {
                    let block = turns.slice(message.block.clone());
                    bad.push(format!("{name} {conv} message {index}: not in its block {block:?}"));
                }
                let strange = turns.tokens_of(index, MessagePart::Body).find(|token| {
                    let id = turns.encoded.ids[*token];
                    Encoder::is_special(tokenizer, id) && !text.contains(&tokenizer.id_to_token(id).unwrap())
                });
                if let (true, Some(token), true) =
                    (message.is_answer(), strange, value.get("tool_calls").is_none())
                {
                    bad.push(format!(
                        "{name} {conv} message {index}: token {token} is special and in the body"
                    ));
                }
            }
        }
    });
    eprintln!("views: {compared} comparisons, {explained} cells explained");
    assert!(compared > 0 && explained > 0, "nothing was compared");
    assert!(bad.is_empty(), "{} messages:\n{}", bad.len(), bad.join("\n"));
}

fn show(name: &str, strategy: &str, finding: &Finding) {
    let (id, verdict, title) = (finding.id, finding.verdict.name(), finding.title);
    eprintln!(
        "{name} {strategy} {id} {verdict} {title} [{} samples]\n    {}",
        finding.samples.len(),
        finding.cause
    );
    for evidence in &finding.evidence {
        eprintln!("      {}: {}", evidence.what, evidence.value);
    }
    if let Some(fix) = &finding.fix {
        eprintln!("      fix: {} {:?}", fix.code, fix.effect);
    }
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn doctor_of_real_templates() {
    let root = crate::root();
    let samples: Vec<_> = samples(&root.join("golden/chat")).into_values().collect();
    let wanted = std::env::var("CHAT_DOCTOR").ok();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for strategy in ["hf_generation", "oi_prefix", "unsloth", "axolotl_turn"] {
        each_setup(&root, strategy, |name, setup| {
            let report = diagnose(&setup, &samples, &[]);
            for finding in &report.findings {
                let says = finding.verdict >= Verdict::Note;
                if says && wanted.as_ref().is_some_and(|w| w == "all" || *w == finding.id || *w == name) {
                    show(name, strategy, finding);
                }
                *counts.entry((finding.id, finding.verdict.name())).or_default() += 1;
            }
            let verdict = |id: &str| report.finding(id).unwrap().verdict;
            // What is known of these templates, whatever the strategy.
            assert!(verdict("MSK049") <= Verdict::Ok, "{name}: a vocabulary of bytes knows every text");
            let untagged =
                strategy == "hf_generation" && name.ends_with(".base") && !name.starts_with("lfm2");
            assert_eq!(verdict("MSK038") == Verdict::Error, untagged, "{name} {strategy}");
            let strips = ["qwen3.base", "lfm2_2_5.base"].contains(&name);
            if strips {
                assert!(verdict("MSK043") >= Verdict::Note, "{name} {strategy}");
            }
        });
    }
    assert!(!counts.is_empty(), "the doctor saw no template");
    for ((id, verdict), count) in counts {
        eprintln!("doctor: {id} {verdict}: {count}");
    }
}

/// Checks that hold a record against its text: what they say of sound rows is a false alarm.
const OF_RECORDS: [&str; 11] = [
    "MSK045", "MSK052", "MSK054", "MSK055", "MSK056", "MSK057", "MSK058", "MSK066", "MSK067", "MSK068",
    "MSK069",
];

/// Ordinary conversations of `golden/bench`, as rows of messages, of turns, and as pairs for preference training.
fn sound_rows(root: &Path) -> Vec<Vec<Value>> {
    let path = root.join("golden/bench/bench_5000.json");
    let rows: Vec<Value> = serde_json::from_str(&crate::read_text(&path)).expect("JSON");
    let first = rows.iter().step_by(101).take(40);
    let turns = |row: &Value| -> Vec<(bool, String)> {
        let turns = row["conversations"].as_array().expect("turns").iter();
        turns
            .map(|turn| {
                (turn["from"] == "gpt", turn["value"].as_str().expect("a text").replace("<image>\n", ""))
            })
            .collect()
    };
    let role = |answer: bool| if answer { "assistant" } else { "user" };
    let messages = |row: &Value| -> Vec<Value> {
        turns(row).into_iter().map(|(answer, text)| json!({"role": role(answer), "content": text})).collect()
    };
    let as_messages = first.clone().map(|row| json!({"messages": messages(row)})).collect();
    let as_turns = first.clone().map(|row| {
        let turn = |(answer, text)| json!({"from": if answer { "gpt" } else { "human" }, "value": text});
        json!({"conversations": turns(row).into_iter().map(turn).collect::<Vec<_>>()})
    });
    let as_pairs = first.filter_map(|row| {
        let all = messages(row);
        let (answer, prompt) = all.split_last().filter(|(last, _)| last["role"] == "assistant")?;
        let other = json!({"role": "assistant", "content": "I would rather not say."});
        Some(json!({"prompt": prompt, "chosen": [answer], "rejected": [other]}))
    });
    vec![as_messages, as_turns.collect(), as_pairs.collect()]
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn sound_rows_raise_no_alarm() {
    let root = crate::root();
    let (mut looked, mut alarms) = (0, Vec::new());
    for rows in sound_rows(&root) {
        let read = |(index, row): (usize, &Value)| {
            maskscope::chat::sample_of(row, None, index, 1, Path::new("rows.jsonl")).expect("a sample")
        };
        let samples: Vec<_> = rows.iter().enumerate().map(read).collect();
        each_setup(&root, "axolotl_turn", |name, setup| {
            // Its places for text are parts of a list, so texts are refused, as in Python.
            if name.starts_with("llava_next") {
                return;
            }
            let inspections: Vec<_> =
                samples.iter().map(|sample| setup.labelling.inspect(&setup.tokenizer, sample)).collect();
            looked += inspections.len();
            let report = diagnose(&setup, &samples, &inspections);
            for finding in report.findings.iter().filter(|f| OF_RECORDS.contains(&f.id)) {
                // Templates end an answer with a token that is not this vocabulary's eos: MSK035 says so.
                let is_of_stops = finding.id == "MSK057"
                    && finding.evidence.iter().all(|e| e.value.contains("does not end with a token"));
                if finding.verdict >= Verdict::Warn && !is_of_stops {
                    show(name, "axolotl_turn", finding);
                    alarms.push(format!("{name}: {} {}", finding.id, finding.cause));
                }
            }
        });
    }
    assert!(looked > 1000, "{looked} rows");
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}
