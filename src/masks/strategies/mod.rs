//! The strategies by name: one table for the command line, the screens and the doctor.
//!
//! Names are those that the goldens use. [`Strategy::label`] runs one with the settings a trainer would have; what a
//! strategy needs beyond the conversation (markers, LLaMA-Factory's slot template) is read off the chat template.

mod llama_factory;

use super::axolotl::EndTokens;
use super::encoder::Encoder;
use super::prefix::Turns;
use super::{
    Call, Chat, MaskError, Masked, Sample, axolotl, hf_generation, llamafactory, llava_next, markers, prefix,
    torchtune, trl_collator, unsloth,
};

pub use llama_factory::slot_template;

/// What a trainer is set to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Tokens that a sample may have; `None` cuts nothing.
    pub max_length: Option<usize>,
}

/// What makes the ids of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Those of the rendered chat template.
    Rendered,
    /// The trainer writes and encodes the turns by itself; the text may differ from the chat template's.
    Own,
}

/// One trainer's way to decide what is learned.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    pub name: &'static str,
    /// How it decides, in a line.
    pub summary: &'static str,
    /// Whose code it is.
    pub source: &'static str,
    pub ids: Ids,
    /// Only the last answer is learned, by design.
    pub last_only: bool,
    /// It subtracts renderings of the messages before.
    pub subtracts_prefixes: bool,
    run: fn(&Chat, &Sample, &Settings) -> Result<Masked, MaskError>,
}

impl PartialEq for Strategy {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Strategy {}

const fn rendered(
    name: &'static str,
    summary: &'static str,
    source: &'static str,
    run: fn(&Chat, &Sample, &Settings) -> Result<Masked, MaskError>,
) -> Strategy {
    Strategy { name, summary, source, ids: Ids::Rendered, last_only: false, subtracts_prefixes: false, run }
}

const fn own(
    name: &'static str,
    summary: &'static str,
    source: &'static str,
    run: fn(&Chat, &Sample, &Settings) -> Result<Masked, MaskError>,
) -> Strategy {
    Strategy { ids: Ids::Own, ..rendered(name, summary, source, run) }
}

const OPEN_INSTRUCT: &str = "open-instruct e6c3044";
const UNSLOTH: &str = "unsloth_zoo 2026.10.9";
const TRL_COLLATOR: &str = "TRL 0.19.1, removed in 0.20";
const AXOLOTL: &str = "axolotl 0.19.0";
const LLAMA_FACTORY: &str = "LLaMA-Factory 0.9.5";
const TORCHTUNE: &str = "torchtune 0.6.1";
const LLAVA_NEXT: &str = "LLaVA-NeXT df17966";

/// All strategies, in the order of the screens.
pub const STRATEGIES: &[Strategy] = &[
    rendered(
        "hf_generation",
        "what the template puts in {% generation %} tags",
        "transformers 5.23, TRL 1.16 assistant_only_loss",
        |chat, sample, settings| hf_generation::label(chat, sample, settings.max_length),
    ),
    Strategy {
        subtracts_prefixes: true,
        ..rendered(
            "oi_prefix",
            "what rendering one message more adds, by text, else by token counts",
            OPEN_INSTRUCT,
            |chat, sample, settings| cut(prefix::text_offsets(chat, sample, Turns::All)?, settings),
        )
    },
    Strategy {
        last_only: true,
        subtracts_prefixes: true,
        ..rendered(
            "oi_prefix_last",
            "the same for the last answer alone",
            OPEN_INSTRUCT,
            |chat, sample, settings| cut(prefix::text_offsets(chat, sample, Turns::Last)?, settings),
        )
    },
    Strategy {
        subtracts_prefixes: true,
        ..rendered(
            "oi_legacy_mask_labels",
            "token counts of prefixes, never verified",
            OPEN_INSTRUCT,
            |chat, sample, settings| cut(prefix::token_counts(chat, sample)?, settings),
        )
    },
    Strategy {
        last_only: true,
        subtracts_prefixes: true,
        ..rendered(
            "oi_mask_out_prompt",
            "everything behind the prompt of the last message",
            "open-instruct e6c3044, TRL tokenize_fn",
            |chat, sample, settings| cut(prefix::prompt_completion(chat, sample)?, settings),
        )
    },
    rendered(
        "trl_collator_instr",
        "from a response marker to the next instruction marker",
        TRL_COLLATOR,
        |chat, sample, settings| trl(chat, sample, settings, true),
    ),
    Strategy {
        last_only: true,
        ..rendered(
            "trl_collator_resp",
            "everything behind the last response marker",
            TRL_COLLATOR,
            |chat, sample, settings| trl(chat, sample, settings, false),
        )
    },
    rendered("unsloth", "from a response marker to eos or the next marker", UNSLOTH, |chat, sample, settings| {
        unsloth_responses(chat, sample, settings, false)
    }),
    Strategy {
        last_only: true,
        ..rendered("unsloth_last", "the same for the last answer alone", UNSLOTH, |chat, sample, settings| {
            unsloth_responses(chat, sample, settings, true)
        })
    },
    rendered(
        "axolotl_turn",
        "the content of answers and their end-of-turn token",
        AXOLOTL,
        |chat, sample, settings| axolotl_ends(chat, sample, settings, EndTokens::Turn),
    ),
    rendered(
        "axolotl_last",
        "the content of answers, the end-of-turn token of the last turn",
        AXOLOTL,
        |chat, sample, settings| axolotl_ends(chat, sample, settings, EndTokens::Last),
    ),
    rendered(
        "axolotl_all",
        "the content of answers, the end-of-turn tokens of all turns",
        AXOLOTL,
        |chat, sample, settings| axolotl_ends(chat, sample, settings, EndTokens::All),
    ),
    own(
        "llamafactory",
        "every turn encoded by itself from slots, answers learned",
        LLAMA_FACTORY,
        |chat, sample, settings| llama_factory::label(chat, sample, settings, false),
    ),
    Strategy {
        last_only: true,
        ..own(
            "llamafactory_mask_history",
            "the same with mask_history: the last answer alone",
            LLAMA_FACTORY,
            |chat, sample, settings| llama_factory::label(chat, sample, settings, true),
        )
    },
    own(
        "torchtune",
        "messages encoded by themselves, an answer learned with its header",
        TORCHTUNE,
        |chat, sample, settings| tune(chat, sample, settings),
    ),
    own(
        "llava_next_qwen",
        "answers with their header, and special tokens and newlines everywhere",
        LLAVA_NEXT,
        |chat, sample, settings| {
            needs(chat, &["<|im_start|>", "<|im_end|>"])?;
            cut(llava_next::qwen(chat.encoder, &sample.messages)?, settings)
        },
    ),
    own(
        "llava_next_llama3",
        "answers with their header, and special tokens everywhere",
        LLAVA_NEXT,
        |chat, sample, settings| {
            needs(chat, &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"])?;
            cut(llava_next::llama3(chat.encoder, &sample.messages)?, settings)
        },
    ),
    own("llava_next_gemma", "round lengths counted as LLaVA-1.5 does", LLAVA_NEXT, |chat, sample, settings| {
        needs(chat, &["<start_of_turn>", "<end_of_turn>"])?;
        llava_next::gemma(chat.encoder, &sample.messages, settings.max_length.unwrap_or(usize::MAX))
    }),
];

impl Strategy {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        STRATEGIES.iter().map(|strategy| strategy.name)
    }

    /// Labels of a conversation.
    ///
    /// # Errors
    /// What the trainer raises or drops; [`MaskError::Unfit`] where the vocabulary cannot take part.
    pub fn label(&self, chat: &Chat, sample: &Sample, settings: &Settings) -> Result<Masked, MaskError> {
        (self.run)(chat, sample, settings)
    }
}

/// Truncation as trainers do it last: the first `max_length` tokens stay.
fn cut(mut masked: Masked, settings: &Settings) -> Result<Masked, MaskError> {
    if let Some(max_length) = settings.max_length {
        masked.input_ids.truncate(max_length);
        masked.labels.truncate(max_length);
    }
    Ok(masked)
}

/// Refuses a vocabulary without the tokens that a strategy writes.
fn needs(chat: &Chat, tokens: &[&'static str]) -> Result<(), MaskError> {
    match tokens.iter().find(|token| chat.encoder.token_to_id(token).is_none()) {
        Some(token) => Err(MaskError::Unfit(format!("the vocabulary has no {token}"))),
        None => Ok(()),
    }
}

/// Ids of the rendered conversation as a trainer with `max_length` passes them on.
fn ids(chat: &Chat, sample: &Sample, settings: &Settings) -> Result<Vec<crate::tokenizer::TokenId>, MaskError> {
    let mut ids = chat.ids(&chat.text(Call::whole(sample))?)?;
    ids.truncate(settings.max_length.unwrap_or(usize::MAX));
    Ok(ids)
}

fn trl(chat: &Chat, sample: &Sample, settings: &Settings, instruction: bool) -> Result<Masked, MaskError> {
    let found = markers::detect(chat)?;
    let instruction = instruction.then_some(found.instruction);
    let markers = trl_collator::Markers { response: found.response, instruction };
    trl_collator::label(chat.encoder, ids(chat, sample, settings)?, &markers)
}

fn unsloth_responses(
    chat: &Chat,
    sample: &Sample,
    settings: &Settings,
    last_response_only: bool,
) -> Result<Masked, MaskError> {
    let found = markers::detect(chat)?;
    let options = unsloth::Options {
        instruction_part: found.instruction,
        response_part: found.response,
        last_response_only,
        mask_out_tokens: Vec::new(),
    };
    unsloth::label(chat.encoder, ids(chat, sample, settings)?, &options)
}

fn axolotl_ends(
    chat: &Chat,
    sample: &Sample,
    settings: &Settings,
    train_on_eos: EndTokens,
) -> Result<Masked, MaskError> {
    let same = |key: &str| (key.to_string(), key.to_string());
    let options = axolotl::Options {
        train_on_eos,
        eot_tokens: markers::detect(chat)?.end_of_turn.map(|token| vec![token]),
        property_mappings: ["role", "content"].map(same).to_vec(),
        remove_none_values: false,
        ..axolotl::Options::default()
    };
    cut(axolotl::label(chat, sample, &options)?, settings)
}

fn tune(chat: &Chat, sample: &Sample, settings: &Settings) -> Result<Masked, MaskError> {
    let options = torchtune::Options { train_on_input: false, max_seq_len: settings.max_length };
    let encoder: &dyn Encoder = chat.encoder;
    let llama3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"];
    if needs(chat, &llama3).is_ok() {
        return torchtune::llama3(encoder, &sample.messages, &options);
    }
    if encoder.id_to_token(0).is_some() && encoder.token_to_id("\u{2581}the").is_some() {
        return torchtune::sentencepiece(encoder, &sample.messages, &options);
    }
    let why = "torchtune's rules here are those of Llama-3 and of SentencePiece vocabularies; this is neither";
    Err(MaskError::Unfit(why.to_string()))
}
