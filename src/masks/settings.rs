//! The settings of the strategies, under the names that the trainers give them.
//!
//! One list for all: a setting that a strategy does not read has no effect on it. What is not set is worked out from the
//! template, or is the trainer's default.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::axolotl::EndTokens;
use super::llamafactory::ToolFormat;
use super::trainers::{self, Trainer};
use crate::error::{Error, Result};

/// What a user may set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StrategySettings {
    /// Text before a user's turn (Unsloth `instruction_part`, TRL `instruction_template`).
    pub instruction_part: Option<String>,
    /// Text before an answer (Unsloth `response_part`, TRL `response_template`).
    pub response_part: Option<String>,
    /// Unsloth: tokens masked again wherever they stand.
    pub mask_out_tokens: Vec<String>,
    /// axolotl: tokens that end a turn.
    pub eot_tokens: Option<Vec<String>>,
    pub roles_to_train: Option<Vec<String>>,
    /// axolotl `train_on_inputs`, torchtune `train_on_input`.
    pub train_on_inputs: bool,
    pub train_on_eos: Option<EndTokens>,
    pub train_on_eot: Option<EndTokens>,
    /// axolotl: the key of a message's flag; without it `train` where a message has that, else `training`.
    pub message_field_training: Option<String>,
    pub message_field_training_detail: Option<String>,
    /// LLaMA-Factory: name of its own template.
    pub template: Option<String>,
    pub mask_history: bool,
    pub train_on_prompt: bool,
    pub efficient_eos: bool,
    /// `None` within is Python's: neither true nor false.
    pub enable_thinking: Option<Option<bool>>,
    /// LLaMA-Factory: how tools and calls are written, over what its template says.
    pub tool_format: Option<ToolFormat>,
    /// transformers' processors: the text that stands for an image in a rendered conversation.
    pub image_token: Option<String>,
    /// How many tokens each image of a sample takes, in order; the last number counts for all that are left.
    pub image_tokens: Vec<usize>,
    /// Tokens that a sample may have: LLaMA-Factory `cutoff_len`, torchtune `max_seq_len`, TRL `max_length`.
    pub max_length: Option<usize>,
    /// Everything that was set, for the trainers: each reads the options that it has.
    pub options: Map<String, Value>,
}

/// The keys, with what they are, for help and for messages about a wrong one.
pub const KEYS: &[(&str, &str)] = &[
    ("instruction_part", "text before a user's turn (TRL: instruction_template)"),
    ("response_part", "text before an answer (TRL: response_template)"),
    ("mask_out_tokens", "Unsloth: tokens masked again, separated by commas"),
    ("eot_tokens", "axolotl: tokens that end a turn, separated by commas"),
    ("roles_to_train", "axolotl: roles, separated by commas"),
    ("train_on_inputs", "axolotl, torchtune: true or false"),
    ("train_on_eos", "axolotl: turn, all, last, none"),
    ("train_on_eot", "axolotl: turn, all, last, none"),
    ("message_field_training", "axolotl: key of a message's flag"),
    ("message_field_training_detail", "axolotl: key of a message's character ranges"),
    ("template", "LLaMA-Factory: name of its template"),
    ("mask_history", "LLaMA-Factory: true or false"),
    ("train_on_prompt", "LLaMA-Factory: true or false"),
    ("efficient_eos", "LLaMA-Factory: true or false"),
    ("enable_thinking", "LLaMA-Factory: true, false or none"),
    ("tool_format", "LLaMA-Factory: name of the format in which tools and calls are written"),
    ("image_token", "hf_generation by a processor: the text that stands for an image"),
    ("image_tokens", "hf_generation by a processor: tokens of each image, separated by commas"),
    ("max_length", "tokens that a sample may have (cutoff_len, max_seq_len)"),
];

impl StrategySettings {
    /// Reads `key=value` pairs; `\n` and `\t` in a value are a line break and a tab.
    ///
    /// # Errors
    /// A key that no strategy has, a value that is not of its kind.
    pub fn parse(pairs: &[String]) -> Result<Self> {
        let mut settings = Self { options: trainers::options::from_pairs(pairs)?, ..Self::default() };
        for pair in pairs {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::Usage(format!("--strategy-option {pair:?}: write key=value")))?;
            settings.set(key.trim(), value)?;
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let text = || Some(unescaped(value));
        let list = || value.split(',').map(unescaped).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let flag = || match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(wrong(key, value, "true or false")),
        };
        let when = || match value {
            "turn" | "true" => Ok(EndTokens::Turn),
            "all" => Ok(EndTokens::All),
            "last" => Ok(EndTokens::Last),
            "none" | "false" => Ok(EndTokens::None),
            _ => Err(wrong(key, value, "turn, all, last or none")),
        };
        match key {
            "instruction_part" | "instruction_template" => self.instruction_part = text(),
            "response_part" | "response_template" => self.response_part = text(),
            "mask_out_tokens" => self.mask_out_tokens = list(),
            "eot_tokens" => self.eot_tokens = Some(list()),
            "roles_to_train" => self.roles_to_train = Some(list()),
            "train_on_inputs" | "train_on_input" => self.train_on_inputs = flag()?,
            "train_on_eos" => self.train_on_eos = Some(when()?),
            "train_on_eot" => self.train_on_eot = Some(when()?),
            "message_field_training" => self.message_field_training = text(),
            "message_field_training_detail" => self.message_field_training_detail = text(),
            "template" => self.template = text(),
            "mask_history" => self.mask_history = flag()?,
            "train_on_prompt" => self.train_on_prompt = flag()?,
            "efficient_eos" => self.efficient_eos = flag()?,
            "enable_thinking" if value == "none" => self.enable_thinking = Some(None),
            "enable_thinking" => self.enable_thinking = Some(Some(flag()?)),
            "tool_format" => self.tool_format = Some(ToolFormat::by_name(value)?),
            "image_token" => self.image_token = text(),
            "image_tokens" => {
                let numbers = list().iter().map(|number| number.parse()).collect::<Result<_, _>>();
                self.image_tokens = numbers.map_err(|_| wrong(key, value, "numbers separated by commas"))?;
            }
            "max_length" | "max_seq_len" if value.eq_ignore_ascii_case("none") => self.max_length = None,
            "max_length" | "cutoff_len" | "max_seq_len" => {
                let number = value.parse().map_err(|_| wrong(key, value, "a number of tokens"))?;
                self.max_length = Some(number);
            }
            key if is_trainer_option(key) => {}
            _ => {
                let trainers = Trainer::ALL.iter().flat_map(|trainer| trainer.options());
                let known: std::collections::BTreeSet<String> =
                    KEYS.iter().chain(trainers).map(|(key, _)| key.to_string()).collect();
                let known = known.into_iter().collect();
                return Err(Error::UnknownName { kind: "strategy option", name: key.to_string(), known });
            }
        }
        Ok(())
    }

    /// The settings that differ from none, as a title names them.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        let mut add = |text: String| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{text}", if out.is_empty() { "" } else { ", " });
        };
        for (name, value) in [
            ("instruction_part", &self.instruction_part),
            ("response_part", &self.response_part),
            ("template", &self.template),
        ] {
            if let Some(value) = value {
                add(format!("{name} {value:?}"));
            }
        }
        for (name, on) in [
            ("train_on_inputs", self.train_on_inputs),
            ("mask_history", self.mask_history),
            ("train_on_prompt", self.train_on_prompt),
            ("efficient_eos", self.efficient_eos),
        ] {
            if on {
                add(name.to_string());
            }
        }
        out
    }
}

/// True for an option that only trainers read.
fn is_trainer_option(key: &str) -> bool {
    Trainer::ALL.iter().any(|trainer| trainer.options().iter().any(|(name, _)| *name == key))
}

fn wrong(key: &str, value: &str, expected: &str) -> Error {
    Error::Usage(format!("--strategy-option {key}: {value:?} is not {expected}"))
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[&str]) -> Result<StrategySettings> {
        StrategySettings::parse(&pairs.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn pairs_make_settings() {
        let settings = parse(&["response_part=<a>\\n", "eot_tokens=<e>,<f>", "mask_history=true"]).unwrap();
        assert_eq!(settings.response_part.as_deref(), Some("<a>\n"));
        assert_eq!(settings.eot_tokens, Some(vec!["<e>".to_string(), "<f>".to_string()]));
        assert_eq!(settings.summary(), "response_part \"<a>\\n\", mask_history");
        assert!(parse(&["mask_histroy=true"]).unwrap_err().to_string().contains("mask_history"));
        assert!(parse(&["mask_history"]).is_err() && parse(&["cutoff_len=many"]).is_err());
    }
}
