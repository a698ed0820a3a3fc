//! The strategies by name: what each is called, where it comes from, and how it is run.

use serde_json::Value;

use super::axolotl::EndTokens;
use super::encoder::Encoder;
use super::llamafactory::SlotTemplate;
use super::prefix::{self, Turns};
use super::strategy_input::StrategyInput;
use super::trainers::Trainer;
use super::{
    Call, MaskError, Masked, axolotl, hf_generation, llamafactory, llava_next, trainer_path, trl_collator,
    unsloth,
};
use crate::chat::Conversation;

/// A way to decide which tokens of a conversation are supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    HfGeneration,
    OiPrefix,
    OiPrefixLast,
    OiLegacyMaskLabels,
    OiMaskOutPrompt,
    TrlCollatorInstr,
    TrlCollatorResp,
    Unsloth,
    UnslothLast,
    AxolotlTurn,
    AxolotlLast,
    AxolotlAll,
    LlamaFactory,
    LlavaNextQwen,
    LlavaNextLlama3,
    LlavaNextGemma,
    /// A trainer's whole data path, from the row to what the model is fed.
    Trainer(Trainer),
    /// No strategy: the text as a model would get it, all of it masked.
    Render,
}

/// What a strategy is called and where it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub name: &'static str,
    pub summary: &'static str,
    /// The trainer's code and its version.
    pub source: &'static str,
}

impl Strategy {
    /// All, in the order in which lists show them.
    pub const ALL: [Strategy; 18] = [
        Self::HfGeneration,
        Self::OiPrefix,
        Self::OiPrefixLast,
        Self::OiLegacyMaskLabels,
        Self::OiMaskOutPrompt,
        Self::TrlCollatorInstr,
        Self::TrlCollatorResp,
        Self::Unsloth,
        Self::UnslothLast,
        Self::AxolotlTurn,
        Self::AxolotlLast,
        Self::AxolotlAll,
        Self::LlamaFactory,
        Self::Trainer(Trainer::Torchtune),
        Self::LlavaNextQwen,
        Self::LlavaNextLlama3,
        Self::LlavaNextGemma,
        Self::Render,
    ];

    /// Name, summary and source.
    pub fn origin(self) -> Origin {
        let origin = |name, summary, source| Origin { name, summary, source };
        let open_instruct = "open-instruct (commit e6c3044)";
        match self {
            Self::HfGeneration => origin(
                "hf_generation",
                "what stands in the template's {% generation %} tags",
                "transformers 5.23, TRL 1.16 assistant_only_loss",
            ),
            Self::OiPrefix => origin(
                "oi_prefix",
                "what a message adds to the rendered text, by positions in the text",
                open_instruct,
            ),
            Self::OiPrefixLast => origin("oi_prefix_last", "the same, last answer only", open_instruct),
            Self::OiLegacyMaskLabels => origin(
                "oi_legacy_mask_labels",
                "what a message adds, by token counts that nobody verifies",
                "open-instruct, older mask_labels",
            ),
            Self::OiMaskOutPrompt => origin(
                "oi_mask_out_prompt",
                "everything after the prompt of the last answer",
                "open-instruct, TRL prompt-completion, axolotl legacy",
            ),
            Self::TrlCollatorInstr => origin(
                "trl_collator_instr",
                "from each response marker to the next instruction marker",
                "TRL 0.19 DataCollatorForCompletionOnlyLM",
            ),
            Self::TrlCollatorResp => origin(
                "trl_collator_resp",
                "everything after the last response marker",
                "TRL 0.19 DataCollatorForCompletionOnlyLM",
            ),
            Self::Unsloth => origin(
                "unsloth",
                "from a response marker's stable core to the eos token",
                "unsloth_zoo 2026.10.9 train_on_responses_only",
            ),
            Self::UnslothLast => origin(
                "unsloth_last",
                "the same, last response only",
                "unsloth_zoo 2026.10.9, last_response_only",
            ),
            Self::AxolotlTurn => origin(
                "axolotl_turn",
                "the contents of answers, and the end token behind each",
                "axolotl 0.19, train_on_eos: turn",
            ),
            Self::AxolotlLast => origin(
                "axolotl_last",
                "the contents of answers, and the last end token",
                "axolotl 0.19, train_on_eos: last",
            ),
            Self::AxolotlAll => origin(
                "axolotl_all",
                "the contents of answers, and the end token of every turn",
                "axolotl 0.19, train_on_eos: all",
            ),
            Self::LlamaFactory => origin(
                "llamafactory",
                "turns encoded one by one with LLaMA-Factory's own template",
                "LLaMA-Factory 0.9.5 encode_multiturn",
            ),
            Self::Trainer(trainer) => origin(trainer.name(), trainer.summary(), trainer.source()),
            Self::LlavaNextQwen => origin(
                "preprocess_qwen",
                "answers with header, and every newline and ChatML mark",
                "LLaVA-NeXT (commit df17966)",
            ),
            Self::LlavaNextLlama3 => origin(
                "preprocess_llama3",
                "answers with header, and every special token",
                "LLaVA-NeXT (commit df17966)",
            ),
            Self::LlavaNextGemma => origin(
                "preprocess_gemma",
                "rounds counted as LLaVA does, with Gemma's marks",
                "LLaVA-NeXT (commit df17966)",
            ),
            Self::Render => {
                origin("render", "all of it is masked: the text as inference gets it", "transformers 5.23")
            }
        }
    }

    /// The name on the command line, which is that of the goldens.
    pub fn name(self) -> &'static str {
        self.origin().name
    }

    /// A strategy by name; `axolotl` is its default, and LLaVA-NeXT's functions go by its name too.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "axolotl" => Some(Self::AxolotlTurn),
            "llava_next_qwen" => Some(Self::LlavaNextQwen),
            "llava_next_llama3" => Some(Self::LlavaNextLlama3),
            "llava_next_gemma" => Some(Self::LlavaNextGemma),
            name => Self::named_ones().find(|strategy| strategy.name() == name),
        }
    }

    /// Every strategy that has a name: [`Self::ALL`], which can be compared with each other, and the other trainers.
    pub fn named_ones() -> impl Iterator<Item = Self> {
        let trainers = Trainer::ALL.into_iter().map(Self::Trainer);
        Self::ALL.into_iter().chain(trainers.filter(|trainer| !Self::ALL.contains(trainer)))
    }

    /// The trainer whose data path it is.
    pub fn trainer(self) -> Option<Trainer> {
        match self {
            Self::Trainer(trainer) => Some(trainer),
            _ => None,
        }
    }

    /// False for strategies that bring their own template.
    pub fn needs_template(self) -> bool {
        match self {
            Self::LlamaFactory | Self::LlavaNextQwen | Self::LlavaNextLlama3 | Self::LlavaNextGemma => false,
            Self::Trainer(trainer) => trainer.needs_template(),
            _ => true,
        }
    }

    /// True for strategies that search in the ids of a text, however it came about.
    pub fn searches_ids(self) -> bool {
        matches!(
            self,
            Self::TrlCollatorInstr | Self::TrlCollatorResp | Self::Unsloth | Self::UnslothLast | Self::Render
        )
    }

    /// True for strategies that supervise the last answer only, by design.
    pub fn last_only(self) -> bool {
        matches!(self, Self::OiPrefixLast | Self::OiMaskOutPrompt | Self::TrlCollatorResp | Self::UnslothLast)
    }

    /// True for strategies that take the length of a rendered prefix for a position in the whole.
    pub fn subtracts_prefixes(self) -> bool {
        matches!(self, Self::OiPrefix | Self::OiPrefixLast | Self::OiLegacyMaskLabels | Self::OiMaskOutPrompt)
    }

    /// Why the strategy is no choice for a vocabulary, where it is none.
    pub fn unfit(self, encoder: &dyn Encoder) -> Option<String> {
        let llama3: &[&str] = &[
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        ];
        let missing = |tokens: &[&str]| {
            let token = tokens.iter().find(|token| encoder.token_to_id(token).is_none())?;
            Some(format!("the vocabulary has no {token}"))
        };
        match self {
            // SentencePiece marks where words begin.
            Self::Trainer(Trainer::Torchtune) if encoder.token_to_id("\u{2581}the").is_none() => {
                missing(llama3)
            }
            Self::LlavaNextQwen => missing(&["<|im_start|>", "<|im_end|>"]),
            Self::LlavaNextLlama3 => missing(llama3),
            Self::LlavaNextGemma => missing(&["<start_of_turn>", "<end_of_turn>"]),
            _ => None,
        }
    }

    /// Runs the strategy on a conversation whose first `prompt` messages are the prompt.
    pub(super) fn label(
        self,
        given: &StrategyInput,
        sample: &Conversation,
        prompt: usize,
    ) -> Result<Masked, MaskError> {
        let (encoder, settings) = (given.encoder, given.settings);
        let messages = sample.messages.as_slice();
        match self {
            Self::HfGeneration => generation(given, sample),
            Self::OiPrefix => prefix::text_offsets(&(given.chat)()?, sample, Turns::All),
            Self::OiPrefixLast => prefix::text_offsets(&(given.chat)()?, sample, Turns::Last),
            Self::OiLegacyMaskLabels => prefix::token_counts(&(given.chat)()?, sample),
            Self::OiMaskOutPrompt => prefix::prompt_completion(&(given.chat)()?, sample, prompt),
            Self::TrlCollatorInstr => collator(given, true),
            Self::TrlCollatorResp => collator(given, false),
            Self::Unsloth => responses(given, false),
            Self::UnslothLast => responses(given, true),
            Self::AxolotlTurn => contents(given, sample, EndTokens::Turn),
            Self::AxolotlLast => contents(given, sample, EndTokens::Last),
            Self::AxolotlAll => contents(given, sample, EndTokens::All),
            Self::LlamaFactory => turn_pairs(given, sample),
            Self::Trainer(trainer) => trainer_path::label(trainer, given, &trainer_path::row_of(sample)),
            Self::LlavaNextQwen => llava_next::qwen(encoder, messages),
            Self::LlavaNextLlama3 => llava_next::llama3(encoder, messages),
            Self::LlavaNextGemma => {
                llava_next::gemma(encoder, messages, settings.max_length.unwrap_or(GEMMA_MAX_LENGTH))
            }
            Self::Render => {
                let (ids, text) = (given.input_ids)()?;
                Ok(Masked::ignored(ids).of_text(text))
            }
        }
    }
}

/// `model_max_length` of LLaVA-NeXT's training scripts.
const GEMMA_MAX_LENGTH: usize = 2048;

/// The two markers: as they are set, else those of the template.
fn markers(given: &StrategyInput) -> Result<(String, String), MaskError> {
    let settings = given.settings;
    if let (Some(instruction), Some(response)) = (&settings.instruction_part, &settings.response_part) {
        return Ok((instruction.clone(), response.clone()));
    }
    let found = (given.markers)()?;
    Ok((
        settings.instruction_part.clone().unwrap_or(found.instruction),
        settings.response_part.clone().unwrap_or(found.response),
    ))
}

/// The tokenizer's path, or the processor's where an image's text is set.
fn generation(given: &StrategyInput, sample: &Conversation) -> Result<Masked, MaskError> {
    let (chat, settings) = ((given.chat)()?, given.settings);
    let Some(token) = settings.image_token.as_deref().filter(|token| !token.is_empty()) else {
        return hf_generation::label(&chat, sample, settings.max_length);
    };
    let images = chat.text(Call::whole(sample))?.matches(token).count();
    let count = |image: usize| settings.image_tokens.get(image).or(settings.image_tokens.last()).copied();
    let counts: Vec<usize> = (0..images).map(|image| count(image).unwrap_or(1)).collect();
    hf_generation::label_processor(&chat, sample, &hf_generation::Placeholder { token, counts: &counts })
}

fn collator(given: &StrategyInput, with_instruction: bool) -> Result<Masked, MaskError> {
    let (instruction, response) = markers(given)?;
    let markers =
        trl_collator::CollatorMarkers { response, instruction: with_instruction.then_some(instruction) };
    let (ids, text) = (given.input_ids)()?;
    Ok(trl_collator::label(given.encoder, ids, &markers)?.of_text(text))
}

fn responses(given: &StrategyInput, last_response_only: bool) -> Result<Masked, MaskError> {
    let (instruction_part, response_part) = markers(given)?;
    let options = unsloth::UnslothOptions {
        instruction_part,
        response_part,
        last_response_only,
        mask_out_tokens: given.settings.mask_out_tokens.clone(),
    };
    let (ids, text) = (given.input_ids)()?;
    Ok(unsloth::label(given.encoder, ids, &options)?.of_text(text))
}

fn contents(given: &StrategyInput, sample: &Conversation, when: EndTokens) -> Result<Masked, MaskError> {
    let settings = given.settings;
    let eot_tokens = match &settings.eot_tokens {
        Some(tokens) => Some(tokens.clone()),
        None => (given.markers)()?.end_of_turn.map(|token| vec![token]),
    };
    let defaults = axolotl::AxolotlOptions::default();
    // Data sets spell the flag either way; the setting's own default is the longer one.
    let has = |key: &str| sample.messages.iter().any(|message: &Value| message.get(key).is_some());
    let key = |set: &Option<String>, short: &str, default: String| match set {
        Some(key) => key.clone(),
        None if has(short) => short.to_string(),
        None => default,
    };
    let options = axolotl::AxolotlOptions {
        roles_to_train: settings.roles_to_train.clone().unwrap_or(defaults.roles_to_train),
        train_on_inputs: settings.train_on_inputs,
        train_on_eos: settings.train_on_eos.unwrap_or(when),
        train_on_eot: settings.train_on_eot,
        eot_tokens,
        message_field_training: key(
            &settings.message_field_training,
            "train",
            defaults.message_field_training,
        ),
        message_field_training_detail: key(
            &settings.message_field_training_detail,
            "train_detail",
            defaults.message_field_training_detail,
        ),
        property_mappings: ["role", "content"].map(|key| (key.to_string(), key.to_string())).to_vec(),
        remove_none_values: false,
    };
    axolotl::label(&(given.chat)()?, sample, &options)
}

fn turn_pairs(given: &StrategyInput, sample: &Conversation) -> Result<Masked, MaskError> {
    let tools = sample.tools.as_deref().unwrap_or_default();
    let settings = given.settings;
    let mut template = match &settings.template {
        Some(name) => SlotTemplate::by_name(name)?,
        None => (given.slots)()?,
    };
    template.efficient_eos |= settings.efficient_eos;
    let defaults = llamafactory::LlamaFactoryOptions::default();
    let options = llamafactory::LlamaFactoryOptions {
        mask_history: settings.mask_history,
        train_on_prompt: settings.train_on_prompt,
        cutoff_len: settings.max_length.unwrap_or(defaults.cutoff_len),
        enable_thinking: settings.enable_thinking.unwrap_or(defaults.enable_thinking),
        tool_format: settings.tool_format,
        clock: (given.chat)().ok().map(|chat| chat.template.clock()).unwrap_or_default(),
    };
    let mut masked = llamafactory::label(given.encoder, &template, &sample.messages, tools, &options)?;
    if settings.template.is_none() {
        let name = template.name;
        masked
            .note(0..0, format!("LLaMA-Factory's template {name} writes turns most like this chat template"));
    }
    Ok(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for strategy in Strategy::named_ones() {
            assert_eq!(Strategy::named(strategy.name()), Some(strategy));
        }
        assert_eq!(Strategy::named("axolotl"), Some(Strategy::AxolotlTurn));
        assert_eq!(Strategy::named("phi"), None);
    }
}
