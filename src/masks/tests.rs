//! Every strategy on a vocabulary of characters: one id a character, one for each special token, so that what
//! is supervised can be read as text. Exactness against the trainers is the conformance tests' matter.

use serde_json::{Map, Value, json};

use super::encoder::{Encoded, Encoder};
use super::prefix::Turns;
use super::trainers::{Resources, Trainer};
use super::*;
use crate::chat::jinja::Clock;

const SPECIALS: [&str; 12] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<turn|>",
    "<bos>",
    "<|end|>",
];
const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}\
    {{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Characters as tokens.
struct Characters {
    bos: Option<&'static str>,
    eos: &'static str,
    pad: Option<&'static str>,
}

const PLAIN: Characters = Characters { bos: None, eos: "<|im_end|>", pad: None };

impl Characters {
    /// The text of the supervised tokens, a `·` for every gap.
    fn supervised(&self, masked: &Masked) -> String {
        let texts = masked.spans().into_iter().map(|span| self.decode(&masked.input_ids[span]).unwrap());
        texts.collect::<Vec<_>>().join("·")
    }
}

impl Encoder for Characters {
    fn encode(&self, text: &str, add_special_tokens: bool) -> crate::Result<Encoded> {
        let mut encoded = Encoded::default();
        if let (true, Some(bos)) = (add_special_tokens, self.bos_id()) {
            encoded.ids.push(bos);
            encoded.offsets.push((0, 0));
        }
        let (mut rest, mut at) = (text, 0);
        while let Some(c) = rest.chars().next() {
            let special = SPECIALS.iter().position(|special| rest.starts_with(special));
            let (id, piece) = match special {
                Some(index) => (index as TokenId, SPECIALS[index].to_string()),
                None => (1000 + c as TokenId, c.to_string()),
            };
            let len = piece.chars().count();
            encoded.ids.push(id);
            encoded.offsets.push((at, at + len));
            at += len;
            rest = &rest[piece.len()..];
        }
        Ok(encoded)
    }

    fn ordinary_ids(&self, text: &str) -> crate::Result<Vec<TokenId>> {
        Ok(text.chars().map(|c| 1000 + c as TokenId).collect())
    }

    fn decode(&self, ids: &[TokenId]) -> crate::Result<String> {
        Ok(ids.iter().map(|id| self.id_to_token(*id).unwrap()).collect())
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        SPECIALS.iter().position(|special| *special == token).map(|index| index as TokenId)
    }

    fn id_to_token(&self, id: TokenId) -> Option<String> {
        let special = SPECIALS.get(id as usize).map(ToString::to_string);
        special.or_else(|| char::from_u32(id - 1000).map(String::from))
    }

    fn added_token(&self, id: TokenId) -> Option<String> {
        SPECIALS.get(id as usize).map(ToString::to_string)
    }

    fn is_special(&self, id: TokenId) -> bool {
        (id as usize) < SPECIALS.len()
    }

    fn bos_id(&self) -> Option<TokenId> {
        self.token_to_id(self.bos?)
    }

    fn eos_id(&self) -> Option<TokenId> {
        self.token_to_id(self.eos)
    }

    fn pad_id(&self) -> Option<TokenId> {
        self.token_to_id(self.pad?)
    }
}

fn two_rounds() -> Conversation {
    let messages = json!([{"role": "system", "content": "S"}, {"role": "user", "content": "q"},
        {"role": "assistant", "content": "one"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "two"}]);
    Conversation { messages: messages.as_array().unwrap().clone(), ..Conversation::default() }
}

/// Runs `label` with the template and the character vocabulary.
fn with_chat(template: &str, label: impl FnOnce(&Chat) -> Result<Masked, MaskError>) -> Masked {
    let template = ChatTemplate::new("t", template, Clock::parse("2026-11-23").unwrap()).unwrap();
    let tokens = Map::from_iter([("eos_token".to_string(), json!("<|im_end|>"))]);
    label(&Chat { template: &template, encoder: &PLAIN, special_tokens: &tokens }).unwrap()
}

#[test]
fn generation_tags_supervise_their_blocks() {
    let masked = with_chat(CHATML, |chat| hf_generation::label(chat, &two_rounds(), None));
    assert_eq!(PLAIN.supervised(&masked), "one<|im_end|>·two<|im_end|>");
    let cut = with_chat(CHATML, |chat| hf_generation::label(chat, &two_rounds(), Some(40)));
    assert_eq!(cut.input_ids.len(), 40);
    let untagged =
        with_chat("{{ messages[0].content }}", |chat| hf_generation::label(chat, &two_rounds(), None));
    assert_eq!((untagged.spans().len(), untagged.notes.len()), (0, 1));
}

#[test]
fn processors_shift_spans_by_what_images_grow() {
    let messages = json!([{"role": "user", "content": "§ and §"}, {"role": "assistant", "content": "yes"}]);
    let sample = Conversation { messages: messages.as_array().unwrap().clone(), ..Conversation::default() };
    let images = |counts| hf_generation::Placeholder { token: "§", counts };
    let masked = with_chat(CHATML, |chat| hf_generation::label_processor(chat, &sample, &images(&[3, 5])));
    assert_eq!(PLAIN.supervised(&masked), "yes<|im_end|>");
    assert_eq!(masked.input_ids.iter().filter(|id| **id == 1000 + '§' as u32).count(), 8);
    let template = ChatTemplate::new("t", CHATML, Clock::System).unwrap();
    let chat = Chat { template: &template, encoder: &PLAIN, special_tokens: &Map::new() };
    assert!(hf_generation::label_processor(&chat, &sample, &images(&[3])).is_err());
}

#[test]
fn prefix_difference_takes_the_newline_too() {
    let sample = two_rounds();
    let masked = with_chat(CHATML, |chat| prefix::text_offsets(chat, &sample, Turns::All));
    assert_eq!(PLAIN.supervised(&masked), "one<|im_end|>\n·two<|im_end|>\n");
    let last = with_chat(CHATML, |chat| prefix::text_offsets(chat, &sample, Turns::Last));
    assert_eq!(PLAIN.supervised(&last), "two<|im_end|>\n");
    let counts = with_chat(CHATML, |chat| prefix::token_counts(chat, &sample));
    assert_eq!(counts.labels, masked.labels);
    let completion =
        with_chat(CHATML, |chat| prefix::prompt_completion(chat, &sample, sample.messages.len() - 1));
    assert_eq!(completion.labels, last.labels);
}

#[test]
fn prefixes_that_are_none_are_counted_and_checked() {
    // Only the last message is marked: no prefix of the conversation renders as a prefix of the whole.
    let forgetful = "{% for m in messages %}<|im_start|>{{ '++' if loop.last }}{{ m.content }}{% endfor %}\
                     {% if add_generation_prompt %}<|im_start|>{% endif %}";
    let template = ChatTemplate::new("t", forgetful, Clock::System).unwrap();
    let chat = Chat { template: &template, encoder: &PLAIN, special_tokens: &Map::new() };
    let messages = json!([{"role": "user", "content": "qq"}, {"role": "assistant", "content": "a"},
        {"role": "user", "content": "rr"}, {"role": "assistant", "content": "r"}]);
    let sample = Conversation { messages: messages.as_array().unwrap().clone(), ..Conversation::default() };
    let error = prefix::text_offsets(&chat, &sample, Turns::All).unwrap_err();
    assert_eq!(error.exception().unwrap().kind, "AssistantSpanDerivationError");
}

#[test]
fn markers_are_read_off_the_template() {
    let template = ChatTemplate::new("t", CHATML, Clock::System).unwrap();
    let chat = Chat { template: &template, encoder: &PLAIN, special_tokens: &Map::new() };
    let markers = markers::detect(&chat).unwrap();
    assert_eq!(markers.instruction, "<|im_start|>user\n");
    assert_eq!(markers.response, "<|im_start|>assistant\n");
    assert_eq!(markers.end_of_turn.as_deref(), Some("<|im_end|>"));
}

fn ids_of(sample: &Conversation) -> Vec<TokenId> {
    let mut ids = Vec::new();
    with_chat(CHATML, |chat| {
        ids = chat.ids(&chat.text(Call::whole(sample))?)?;
        Ok(Masked::default())
    });
    ids
}

#[test]
fn searches_stop_where_the_trainer_stops() {
    let ids = ids_of(&two_rounds());
    let markers = trl_collator::CollatorMarkers {
        response: "<|im_start|>assistant\n".into(),
        instruction: Some("<|im_start|>user\n".into()),
    };
    let trl = trl_collator::label(&PLAIN, ids.clone(), &markers).unwrap();
    assert_eq!(PLAIN.supervised(&trl), "one<|im_end|>\n·two<|im_end|>\n");
    let padded = Characters { pad: Some("<|im_end|>"), ..PLAIN };
    let without_eos = trl_collator::label(&padded, ids.clone(), &markers).unwrap();
    assert_eq!(PLAIN.supervised(&without_eos), "one·\n·two·\n");
    let last = trl_collator::CollatorMarkers { instruction: None, ..markers };
    assert_eq!(
        PLAIN.supervised(&trl_collator::label(&PLAIN, ids.clone(), &last).unwrap()),
        "two<|im_end|>\n"
    );
    let options = unsloth::UnslothOptions {
        instruction_part: "<|im_start|>user\n".into(),
        response_part: "<|im_start|>assistant\n".into(),
        last_response_only: false,
        mask_out_tokens: vec!["n".into()],
    };
    let unsloth = unsloth::label(&PLAIN, ids.clone(), &options).unwrap();
    assert_eq!(PLAIN.supervised(&unsloth), "o·e<|im_end|>·two<|im_end|>");
    let none = trl_collator::CollatorMarkers { response: "### Answer".into(), instruction: None };
    assert!(trl_collator::label(&PLAIN, ids, &none).unwrap().spans().is_empty());
}

#[test]
fn axolotl_trains_content_and_end_token() {
    let sample = two_rounds();
    let of = |options: axolotl::AxolotlOptions| {
        PLAIN.supervised(&with_chat(CHATML, |chat| axolotl::label(chat, &sample, &options)))
    };
    assert_eq!(of(axolotl::AxolotlOptions::default()), "one<|im_end|>·two<|im_end|>");
    let last = axolotl::AxolotlOptions {
        train_on_eos: axolotl::EndTokens::Last,
        ..axolotl::AxolotlOptions::default()
    };
    assert_eq!(of(last), "one·two<|im_end|>");
    let all = axolotl::AxolotlOptions {
        train_on_eos: axolotl::EndTokens::All,
        ..axolotl::AxolotlOptions::default()
    };
    assert_eq!(of(all), "<|im_end|>·<|im_end|>·one<|im_end|>·<|im_end|>·two<|im_end|>");
    let users =
        axolotl::AxolotlOptions { roles_to_train: vec!["user".into()], ..axolotl::AxolotlOptions::default() };
    assert_eq!(of(users), "q<|im_end|>·r<|im_end|>");
}

#[test]
fn axolotl_honours_flags_and_details() {
    let mut sample = two_rounds();
    sample.messages[2]["training"] = json!(false);
    sample.messages[4]["training_detail"] = json!([{"begin_offset": 1, "end_offset": 1, "train": true},
        {"begin_offset": 2, "end_offset": 2, "train": false}]);
    let masked = with_chat(CHATML, |chat| axolotl::label(chat, &sample, &axolotl::AxolotlOptions::default()));
    assert_eq!(PLAIN.supervised(&masked), "w·<|im_end|>");
}

#[test]
fn llamafactory_encodes_turn_by_turn() {
    let messages = two_rounds().messages;
    let template = llamafactory::SlotTemplate::by_name("chatml").unwrap();
    let of = |template: &llamafactory::SlotTemplate, options: llamafactory::LlamaFactoryOptions| {
        llamafactory::label(&PLAIN, template, &messages, &[], &options).unwrap()
    };
    let masked = of(&template, llamafactory::LlamaFactoryOptions::default());
    assert_eq!(PLAIN.supervised(&masked), "one<|im_end|>\n·two<|im_end|>\n");
    assert_eq!(masked.input_ids, ids_of(&two_rounds()));
    let last = of(
        &template,
        llamafactory::LlamaFactoryOptions {
            mask_history: true,
            ..llamafactory::LlamaFactoryOptions::default()
        },
    );
    assert_eq!(PLAIN.supervised(&last), "two<|im_end|>\n");
    let efficient = llamafactory::SlotTemplate { efficient_eos: true, ..template };
    let masked = of(&efficient, llamafactory::LlamaFactoryOptions::default());
    let differ: Vec<_> = masked
        .labels
        .iter()
        .zip(&masked.input_ids)
        .filter(|(l, i)| **l != -100 && **l != i64::from(**i))
        .collect();
    assert_eq!(differ.len(), 1, "the second prompt begins with an eos label");
    assert_eq!(masked.labels.last(), Some(&1));
    assert!(llamafactory::SlotTemplate::by_name("none such").is_err());
    let odd = &messages[..4];
    let dropped =
        llamafactory::label(&PLAIN, &template, odd, &[], &llamafactory::LlamaFactoryOptions::default());
    assert!(matches!(dropped, Err(MaskError::Dropped(_))));
}

#[test]
fn llava_next_unmasks_specials_everywhere() {
    let masked = llava_next::qwen(&PLAIN, &two_rounds().messages).unwrap();
    let expected = "<|im_start|>·\n·<|im_end|>\n<|im_start|>·\n·<|im_end|>\n<|im_start|>assistant\none<|im_end|>\n\
                    <|im_start|>·\n·<|im_end|>\n<|im_start|>assistant\ntwo<|im_end|>\n";
    assert_eq!(PLAIN.supervised(&masked), expected);
}

#[test]
fn llava_next_gemma_counts_rounds() {
    let gemma = Characters { bos: Some("<bos>"), eos: "<end_of_turn>", pad: None };
    let masked = llava_next::gemma(&gemma, &two_rounds().messages, 2048).unwrap();
    assert_eq!(gemma.supervised(&masked), "one<end_of_turn>\n·two<end_of_turn>\n");
    // Without a bos every count is one off, and the whole sample is thrown away.
    let masked = llava_next::gemma(&PLAIN, &two_rounds().messages, 2048).unwrap();
    assert!(masked.spans().is_empty());
    assert!(masked.notes[0].text.contains("tokenization mismatch"));
}

/// Labels of `sample` by a trainer without a chat template.
fn by_trainer(trainer: Trainer, encoder: &Characters, options: Value) -> Result<Masked, MaskError> {
    let tokens = Map::from_iter([("eos_token".to_string(), json!(encoder.eos))]);
    let resources = Resources {
        encoder,
        special_tokens: &tokens,
        template: None,
        clock: Clock::parse("2026-11-23").expect("a date"),
    };
    let row = json!({"messages": two_rounds().messages});
    let row = row.as_object().unwrap();
    let prepared = trainer.construct(resources, options.as_object().unwrap(), row)?.prepare(row)?;
    let sequence = prepared.sequences.into_iter().next().unwrap();
    let mut masked = Masked::ignored(sequence.input_ids.clone());
    sequence.spans().into_iter().for_each(|span| masked.supervise(span));
    Ok(masked)
}

#[test]
fn torchtune_trains_whole_messages() {
    let llama = Characters { bos: Some("<|begin_of_text|>"), eos: "<|end_of_text|>", pad: None };
    let run = |options| by_trainer(Trainer::Torchtune, &llama, options).unwrap();
    let header = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    let masked = run(json!({}));
    assert_eq!(llama.supervised(&masked), format!("{header}one<|eot_id|>·{header}two<|eot_id|>"));
    assert_eq!(run(json!({"max_seq_len": 10})).input_ids.len(), 10);
    let plain = run(json!({"template": "mistral_plain"}));
    assert_eq!(llama.supervised(&plain), "one<|end_of_text|>·two<|end_of_text|>");
}

#[test]
fn swift_supervises_answers_and_the_end_of_their_turns() {
    let run = |options| by_trainer(Trainer::Swift, &PLAIN, options);
    let masked = run(json!({"template": "qwen"})).unwrap();
    assert_eq!(PLAIN.supervised(&masked), "one<|im_end|>\n·two<|im_end|>\n");
    let last = run(json!({"template": "qwen", "loss_scale": "last_round"})).unwrap();
    assert_eq!(PLAIN.supervised(&last), "two<|im_end|>\n");
    assert!(run(json!({"template": "nothing"})).is_err() && run(json!({"template": 3})).is_err());
}

#[test]
fn images_are_counted_with_a_ledger() {
    use image_tokens::{ImageProcessor, ImageSize};
    let size = |height, width| ImageSize { height, width };
    let qwen =
        ImageProcessor::QwenVl { patch_size: 14, merge_size: 2, min_pixels: 3136, max_pixels: 1_003_520 };
    let tokens = qwen.count(size(480, 640)).unwrap();
    assert_eq!((tokens.count, tokens.grid), (391, Some((17, 23))));
    assert!(tokens.steps.last().unwrap().how.ends_with("= 391"));
    assert!(qwen.count(size(1, 201)).is_err());
    assert!(qwen.count(size(0, 5)).is_err());
    assert!(qwen.count(size(usize::MAX, 5)).is_err());
    let pixtral = ImageProcessor::Pixtral { longest_edge: 1024, patch_size: 16, merge_size: 1 };
    assert_eq!(pixtral.count(size(1024, 512)).unwrap().grid, Some((64, 32)));
}

/// `whole|content` of every turn that the layout of a sample's text has.
fn turns(template: &str, sample: &Conversation) -> Vec<String> {
    let template = ChatTemplate::new("t", template, Clock::System).unwrap();
    let chat = Chat { template: &template, encoder: &PLAIN, special_tokens: &Map::new() };
    let (_, source) = chat.encoded(Call::whole(sample)).unwrap();
    let layout = layout::of_template(Some(chat), sample, &source);
    let slice = |range: &std::ops::Range<usize>| source.text[range.clone()].to_string();
    let pieces = |turn: &crate::chat::TurnLayout| {
        assert_eq!((turn.header.end, turn.separator.start), (turn.content.start, turn.content.end));
        format!("{}|{}", slice(&turn.whole), slice(&turn.content))
    };
    layout.turns.iter().map(pieces).collect()
}

#[test]
fn turns_are_where_the_template_wrote_them() {
    let sample = two_rounds();
    let first = "<|im_start|>system\nS<|im_end|>\n|S";
    let last = "<|im_start|>assistant\ntwo<|im_end|>\n|two";
    let found = turns(CHATML, &sample);
    assert_eq!((found.len(), found[0].as_str(), found[4].as_str()), (5, first, last));
    // No prefix can be rendered, so that positions cannot come from there.
    let whole_only =
        format!("{{% if messages | length < 5 %}}{{{{ raise_exception('5') }}}}{{% endif %}}{CHATML}");
    assert_eq!(turns(&whole_only, &sample), found);
    // A loop inside of a set block shows nothing: prefixes do.
    let collected = format!("{{% set all %}}{CHATML}{{% endset %}}{{{{ all }}}}");
    assert_eq!(turns(&collected, &sample), found);
    // A message in front of a loop over the others.
    let front = "<|im_start|>system\n{{ messages[0].content }}<|im_end|>\n".to_string();
    let behind = CHATML.replace("in messages", "in messages[1:]");
    assert_eq!(turns(&(front + &behind), &sample), found);
}

#[test]
fn messages_that_are_merged_have_one_turn() {
    let merged = "{% for m in messages[1:] %}<{{ messages[0].content ~ ':' if loop.first }}{{ m.content }}>{% endfor %}";
    assert_eq!(turns(merged, &two_rounds()), ["<S:q>|q", "<one>|one", "<r>|r", "<two>|two"]);
}

/// Recorded with LLaMA-Factory 0.9.5 by `tests/scripts/record_llamafactory_tools.py`: whole rows with tools, calls and results.
#[test]
fn llamafactory_rows_with_tools_are_those_of_the_library() {
    let golden = include_str!("../../tests/golden/llamafactory/rows.jsonl");
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in golden.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let template = llamafactory::SlotTemplate::by_name(case["template"].as_str().unwrap()).unwrap();
        let asked = case["tool_format"].as_str();
        let options = llamafactory::LlamaFactoryOptions {
            tool_format: asked.map(|name| llamafactory::ToolFormat::by_name(name).unwrap()),
            clock: Clock::parse("2026-11-23T12:00").unwrap(),
            cutoff_len: usize::MAX >> 1,
            ..llamafactory::LlamaFactoryOptions::default()
        };
        let row = &case["row"];
        let mut messages = row["messages"].as_array().unwrap().clone();
        if row["system"] != "" {
            messages.insert(0, json!({"role": "system", "content": row["system"]}));
        }
        let labelled =
            llamafactory::label(&PLAIN, &template, &messages, row["tools"].as_array().unwrap(), &options);
        // The processor puts one eos behind all pairs of such a template.
        let end = if template.efficient_eos { "<|im_end|>" } else { "" };
        let expected = match case["result"]["text"].as_array() {
            Some(pairs) => {
                let texts = pairs.iter().flat_map(|pair| pair.as_array().unwrap());
                Ok(texts.map(|text| text.as_str().unwrap()).collect::<String>() + end)
            }
            None => Err(case["result"]["error"].as_str().unwrap().to_string()),
        };
        let ours = labelled
            .map(|masked| PLAIN.decode(&masked.input_ids).unwrap())
            .map_err(|error| error.to_string());
        if ours != expected {
            wrong.push(format!("{} {asked:?}\n  ours {ours:?}\n  real {expected:?}", case["template"]));
        }
        compared += 1;
    }
    assert!(compared >= 200 && wrong.is_empty(), "{} of {compared}: {}", wrong.len(), wrong.join("\n"));
}
