//! The trainers by name: what each is called, what may be set, and how it is started.

use serde_json::{Map, Value, json};

use super::torchtune::TorchtuneModel;
use super::{
    Resources, RowPreparer, TrainerOptions, nanochat, openrlhf, renderers, swift, torchtune, trl_dpo,
    trl_kto, trl_sft, verl, xtuner,
};
use crate::masks::MaskError;

/// A trainer's data path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trainer {
    TrlSft,
    TrlDpo,
    TrlKto,
    Verl,
    OpenRlhf,
    OpenRlhfDpo,
    Swift,
    Torchtune,
    Xtuner,
    Nanochat,
    Renderers,
}

/// An option: its name, and what it is.
pub type OptionHelp = (&'static str, &'static str);

impl Trainer {
    /// All, in the order in which lists show them.
    pub const ALL: [Trainer; 11] = [
        Self::TrlSft,
        Self::TrlDpo,
        Self::TrlKto,
        Self::Verl,
        Self::OpenRlhf,
        Self::OpenRlhfDpo,
        Self::Swift,
        Self::Torchtune,
        Self::Xtuner,
        Self::Nanochat,
        Self::Renderers,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrlSft => "trl_sft",
            Self::TrlDpo => "trl_dpo",
            Self::TrlKto => "trl_kto",
            Self::Verl => "verl",
            Self::OpenRlhf => "openrlhf",
            Self::OpenRlhfDpo => "openrlhf_dpo",
            Self::Swift => "swift",
            Self::Torchtune => "torchtune",
            Self::Xtuner => "xtuner",
            Self::Nanochat => "nanochat",
            Self::Renderers => "renderers",
        }
    }

    /// What is supervised, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::TrlSft => "everything, the completion, or {% generation %} blocks",
            Self::TrlDpo => "both answers of a preference row, behind one prompt",
            Self::TrlKto => "the completion of a row that is wanted or not",
            Self::Verl => "answers rendered one by one, behind the generation prompt",
            Self::OpenRlhf => "the answer behind as many tokens as the prompt has",
            Self::OpenRlhfDpo => "both answers of a preference row, closed with eos",
            Self::Swift => "answers by swift's own format, with loss_scale's weights",
            Self::Torchtune => "messages encoded one by one, answers with their header",
            Self::Xtuner => "answers by XTuner's own format, without the header",
            Self::Nanochat => "text and Python of answers, by special tokens of its own",
            Self::Renderers => "what the model itself would write",
        }
    }

    /// The trainer's code and its version.
    pub fn source(self) -> &'static str {
        match self {
            Self::TrlSft => "TRL 1.16 SFTTrainer",
            Self::TrlDpo => "TRL 1.16 DPOTrainer",
            Self::TrlKto => "TRL 1.16 KTOTrainer",
            Self::Verl => "verl 0.9.1 MultiTurnSFTDataset",
            Self::OpenRlhf => "OpenRLHF 0.11.2 SFTDataset",
            Self::OpenRlhfDpo => "OpenRLHF 0.11.2 RewardDataset (is_dpo)",
            Self::Swift => "ms-swift 4.6.0 Template.encode",
            Self::Torchtune => "torchtune 0.6.1 tokenize_messages",
            Self::Xtuner => "XTuner v1 (commit b934f46) OpenaiTokenizeFunction",
            Self::Nanochat => "nanochat (commit 92d63d4) render_conversation",
            Self::Renderers => "prime-rl renderers 0.1.12 build_training_sample",
        }
    }

    /// The options that the trainer reads.
    pub fn options(self) -> &'static [OptionHelp] {
        match self {
            Self::TrlSft => &[
                (
                    "assistant_only_loss",
                    "true: what is in {% generation %} tags, in TRL's template where it has one",
                ),
                ("completion_only_loss", "true or false; none: true for prompt-completion rows"),
                ("max_length", "tokens of a row, 1024 unless set; none for no cut"),
                ("truncation_mode", "keep_start or keep_end"),
                ("dataset_text_field", "column of plain text"),
            ],
            Self::TrlDpo => &[
                ("max_length", "tokens of a side, 1024 unless set; none for no cut"),
                ("truncation_mode", "keep_start or keep_end"),
            ],
            Self::TrlKto => &[("max_length", "tokens of a row, 1024 unless set; none for no cut")],
            Self::Verl => &[
                ("pad_mode", "right or no_padding"),
                ("max_length", "tokens of a row, 1024 unless set"),
                ("truncation", "error, left or right"),
                ("ignore_input_ids_mismatch", "true: train on the pieces even where they are not the whole"),
                ("enable_thinking_default", "true or false"),
                ("apply_chat_template_kwargs", "template variables, as JSON"),
            ],
            Self::OpenRlhf => &[
                ("input_key", "column of the conversation or the prompt"),
                ("output_key", "column of the answer"),
                ("input_template", "text around a prompt, with {} for it"),
                ("apply_chat_template", "true or false"),
                ("multiturn", "true: every answer is supervised"),
                ("pretrain_mode", "true: plain text, all of it"),
                ("max_length", "tokens of a row, 2048 unless set"),
            ],
            Self::OpenRlhfDpo => &[
                ("prompt_key", "column of the prompt; none where both sides have it"),
                ("chosen_key", "column of the chosen side"),
                ("rejected_key", "column of the rejected side"),
                ("input_template", "text around a prompt, with {} for it"),
                ("apply_chat_template", "true or false"),
                ("max_length", "tokens of a side, 512 unless set"),
            ],
            Self::Swift => &[
                ("template", "name of swift's own format (template_type)"),
                ("loss_scale", "default, last_round, all, or rules such as hermes+ignore_empty_think"),
                ("default_system", "system text of rows without one"),
                ("max_length", "tokens of a row"),
                ("truncation_strategy", "raise, delete, left, right or split"),
                ("template_backend", "swift or jinja"),
                ("use_chat_template", "true or false"),
                ("agent_template", "how tools are written"),
                ("enable_thinking", "true or false"),
                ("preserve_thinking", "true or false: thinking of earlier answers"),
                ("add_non_thinking_prefix", "true or false"),
                ("response_prefix", "what opens an answer that is still to come"),
            ],
            Self::Torchtune => &[
                (
                    "template",
                    "tokenizer class: llama3, llama3_chatml, qwen2_5, mistral, mistral_plain, llama2, phi3",
                ),
                ("train_on_input", "true or false; unless set, true for Alpaca rows"),
                ("new_system_prompt", "system text in place of the row's"),
                ("max_seq_len", "tokens of a row"),
                ("column_map", "names of columns, as JSON"),
            ],
            Self::Xtuner => &[
                ("template", "name of XTuner's own format (chat_template)"),
                ("max_length", "tokens of a row"),
            ],
            Self::Nanochat => &[("max_tokens", "tokens of a row, 2048 unless set")],
            Self::Renderers => &[
                ("template", "default, qwen3, qwen3.5, prime-qwen3, llama-3, deepseek-v3 or deepseek-r1"),
                ("enable_thinking", "true or false"),
                ("thinking_retention", "for bridges between turns alone"),
                ("date_string", "the date that llama-3 writes"),
                ("tools_in_user_message", "true or false, for llama-3"),
                ("role_to_mask", "the role that is supervised"),
                ("content_sft_roles", "roles whose contents are supervised, as a JSON list"),
                ("ensure_final_stop", "true: a last answer without a stop token gets one"),
                ("message_loss_mask", "one 0 or 1 a message, as a JSON list"),
            ],
        }
    }

    /// True for trainers of preference rows.
    pub fn takes_preferences(self) -> bool {
        matches!(self, Self::TrlDpo | Self::TrlKto | Self::OpenRlhfDpo | Self::Swift | Self::Torchtune)
    }

    /// True for trainers that take nothing else.
    pub fn takes_preferences_alone(self) -> bool {
        matches!(self, Self::TrlDpo | Self::OpenRlhfDpo)
    }

    /// False for trainers that bring their own format.
    pub fn needs_template(self) -> bool {
        !matches!(self, Self::Swift | Self::Torchtune | Self::Xtuner | Self::Nanochat | Self::Renderers)
    }

    /// Starts the trainer with the options among `given` that it reads; `first` is a row of the data set.
    ///
    /// # Errors
    /// What the trainer's constructor raises; an option whose value is not of its kind.
    pub fn construct<'a>(
        self,
        resources: Resources<'a>,
        given: &Map<String, Value>,
        first: &Map<String, Value>,
    ) -> Result<Box<dyn RowPreparer + 'a>, MaskError> {
        let mut options: Map<String, Value> = self
            .options()
            .iter()
            .filter_map(|(key, _)| Some((key.to_string(), given.get(*key)?.clone())))
            .collect();
        self.complete(&mut options, &resources, first);
        Ok(match self {
            Self::TrlSft => Box::new(trl_sft::SftTrainer::new(resources, read(&options)?, first)?),
            Self::TrlDpo => Box::new(trl_dpo::DpoTrainer::new(resources, read(&options)?)),
            Self::TrlKto => Box::new(trl_kto::KtoTrainer::new(resources, read(&options)?)),
            Self::Verl => Box::new(verl::MultiTurnDataset::new(resources, read(&options)?)?),
            Self::OpenRlhf => Box::new(openrlhf::SftDataset::new(resources, read(&options)?)),
            Self::OpenRlhfDpo => Box::new(openrlhf::DpoDataset::new(resources, read(&options)?)),
            Self::Swift => Box::new(swift::SwiftTemplate::new(resources, read(&options)?)?),
            Self::Torchtune => Box::new(torchtune::TorchtuneDataset::new(resources, read(&options)?)),
            Self::Xtuner => Box::new(xtuner::TokenizeFunction::new(resources, read(&options)?)?),
            Self::Nanochat => Box::new(nanochat::NanochatTokenizer::new(resources, read(&options)?)),
            Self::Renderers => Box::new(renderers::Renderer::new(resources, read(&options)?)?),
        })
    }

    /// Options that the row and the tokenizer answer where they are not set.
    fn complete(self, options: &mut Map<String, Value>, resources: &Resources, first: &Map<String, Value>) {
        let mut set = |key: &str, value: Value| {
            options.entry(key).or_insert(value);
        };
        let has = |key: &str| first.contains_key(key);
        let is_list = |key: &str| first.get(key).is_some_and(Value::is_array);
        match self {
            Self::OpenRlhf if has("prompt") => {
                set("input_key", json!("prompt"));
                set("output_key", json!("completion"));
                set("apply_chat_template", json!(is_list("prompt")));
            }
            Self::OpenRlhf if has("text") => {
                set("input_key", json!("text"));
                set("pretrain_mode", json!(true));
            }
            Self::OpenRlhf => {
                set("input_key", json!("messages"));
                set("apply_chat_template", json!(true));
            }
            Self::OpenRlhfDpo => {
                if has("prompt") {
                    set("prompt_key", json!("prompt"));
                }
                set("apply_chat_template", json!(is_list("chosen")));
            }
            Self::Torchtune => set("template", json!(torchtune_model(resources))),
            Self::Renderers if resources.template.is_some() && !options.contains_key("template") => {
                options.entry("role_to_mask").or_insert(json!("assistant"));
            }
            _ => {}
        }
    }
}

fn read<T: TrainerOptions>(options: &Map<String, Value>) -> Result<T, MaskError> {
    Ok(T::read(options)?)
}

/// The tokenizer class of torchtune that a vocabulary is of.
fn torchtune_model(resources: &Resources) -> &'static str {
    let has = |token: &str| resources.encoder.token_to_id(token).is_some();
    let model = if has("<|start_header_id|>") {
        TorchtuneModel::Llama3
    } else if has("<|im_start|>") {
        TorchtuneModel::Qwen25
    } else if has("<|user|>") && has("<|end|>") {
        TorchtuneModel::Phi3
    } else {
        TorchtuneModel::MistralPlain
    };
    TorchtuneModel::NAMES.iter().find(|(_, named)| *named == model).map_or("llama3", |(name, _)| name)
}

/// The trainer of a name.
#[cfg(feature = "internals")]
pub fn named(name: &str) -> Option<Trainer> {
    Trainer::ALL.into_iter().find(|trainer| trainer.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for trainer in Trainer::ALL {
            assert_eq!(named(trainer.name()), Some(trainer));
        }
        assert_eq!(named("trl"), None);
    }
}
