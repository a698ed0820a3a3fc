//! Labels of the strategies that work on a rendered conversation: `render_masks`.

use std::path::Path;

use maskscope::chat::jinja::ChatTemplate;
use maskscope::masks::prefix::Turns;
use maskscope::masks::{
    Chat, MaskError, Masked, Sample, axolotl, hf_generation, markers, prefix, trl_collator, unsloth,
};
use serde_json::Value;

use super::records::{Tally, json_lines, labels_of, u32s};
use super::tokenizer::Tokenizers;
use super::{clock, conversations};

/// The goldens keep this many characters of an error.
const ERROR_CHARS: usize = 190;

pub fn template(dir: &Path, name: &str) -> ChatTemplate {
    let source = std::fs::read_to_string(dir.join(format!("templates/{name}.jinja"))).unwrap();
    ChatTemplate::new(name, &source, clock()).unwrap()
}

/// An error as the goldens write it.
pub fn error_text(error: &MaskError) -> String {
    let text = error.exception().map(ToString::to_string).unwrap_or_else(|| error.to_string());
    text.chars().take(ERROR_CHARS).collect()
}

/// Runs the strategy that a golden names; `None` for a name that is not known here.
fn run(name: &str, chat: &Chat, sample: &Sample, ids: &[u32]) -> Option<Result<Masked, MaskError>> {
    let marks = || markers::detect(chat);
    let unsloth = |last_response_only: bool| {
        let marks = marks()?;
        let options = unsloth::Options {
            instruction_part: marks.instruction,
            response_part: marks.response,
            last_response_only,
            mask_out_tokens: Vec::new(),
        };
        unsloth::label(chat.encoder, ids.to_vec(), &options)
    };
    let collator = |instruction: bool| {
        let marks = marks()?;
        let markers = trl_collator::Markers {
            response: marks.response,
            instruction: instruction.then_some(marks.instruction),
        };
        trl_collator::label(chat.encoder, ids.to_vec(), &markers)
    };
    let axolotl = |when: axolotl::EndTokens| {
        let same = |key: &str| (key.to_string(), key.to_string());
        let options = axolotl::Options {
            train_on_eos: when,
            eot_tokens: marks()?.end_of_turn.map(|token| vec![token]),
            property_mappings: ["role", "content"].map(same).to_vec(),
            remove_none_values: false,
            ..axolotl::Options::default()
        };
        axolotl::label(chat, sample, &options)
    };
    Some(match name {
        "hf_generation" => hf_generation::label(chat, sample, None),
        "oi_prefix" => prefix::text_offsets(chat, sample, Turns::All),
        "oi_prefix_last" => prefix::text_offsets(chat, sample, Turns::Last),
        "oi_legacy_mask_labels" => prefix::token_counts(chat, sample),
        "oi_mask_out_prompt" => prefix::prompt_completion(chat, sample),
        "axolotl_turn" => axolotl(axolotl::EndTokens::Turn),
        "axolotl_last" => axolotl(axolotl::EndTokens::Last),
        "axolotl_all" => axolotl(axolotl::EndTokens::All),
        "unsloth" => unsloth(false),
        "unsloth_last" => unsloth(true),
        "trl_collator_instr" => collator(true),
        "trl_collator_resp" => collator(false),
        _ => return None,
    })
}

#[test]
fn labels_of_rendered_conversations() {
    let Some(root) = crate::root("golden/chat labels") else { return };
    let dir = root.join("golden/chat");
    let conversations = conversations(&dir);
    let tokenizers = Tokenizers::new(&root);
    let mut tally = Tally::new("labels");
    for record in json_lines(&dir.join("render_masks.jsonl.gz")) {
        let Some(strategies) = record["labels"].as_object() else { continue };
        let id = record["id"].as_str().unwrap();
        let name =
            format!("{}.{}", record["template"].as_str().unwrap(), record["variant"].as_str().unwrap());
        let template = template(&dir, &name);
        let tokenizer = tokenizers.get(record["tokenizer"].as_str().unwrap());
        let chat =
            Chat { template: &template, encoder: &*tokenizer, special_tokens: &tokenizer.special_tokens };
        let sample = &conversations[record["conv"].as_str().unwrap()];
        let ids = u32s(&record["input_ids"]);
        for (strategy, expected) in strategies {
            let Some(found) = run(strategy, &chat, sample, &ids) else {
                tally.skip(strategy);
                continue;
            };
            compare(&mut tally, strategy, id, found, expected, &ids);
        }
    }
    tally.finish();
}

/// Compares ids and labels, or the error.
pub fn compare(
    tally: &mut Tally,
    strategy: &str,
    id: &str,
    found: Result<Masked, MaskError>,
    expected: &Value,
    ids: &[u32],
) {
    if let Some(error) = expected["error"].as_str() {
        let found = found.map(|masked| masked.spans()).map_err(|e| error_text(&e));
        tally.check(strategy, id, &found, &Err(error.to_string()));
        return;
    }
    let ids = expected["input_ids"].as_array().map_or_else(|| ids.to_vec(), |_| u32s(&expected["input_ids"]));
    match found {
        Err(error) => tally.fail(strategy, id, error.to_string()),
        Ok(masked) if masked.input_ids != ids => {
            tally.fail(
                strategy,
                id,
                format!("ids\n    found    {:?}\n    expected {ids:?}", masked.input_ids),
            );
        }
        Ok(masked) => {
            let labels = labels_of(expected, &ids);
            let same = masked.labels == labels;
            let wanted = Masked { labels, ..masked.clone() };
            match same {
                true => tally.check(strategy, id, &0, &0),
                false => tally.check(strategy, id, &masked.spans(), &wanted.spans()),
            }
        }
    }
}
