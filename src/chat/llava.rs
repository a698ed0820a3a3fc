//! LLaVA's conversation templates: five ways of writing a conversation as one prompt.
//!
//! The registry and its texts are MoE-LLaVA's; a prompt must equal the training code's to the byte, as every
//! label depends on it.

use super::sample::Turn;
use crate::python::{PythonError, python_repr};

/// How turns and separators are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeparatorStyle {
    Single,
    Two,
    Mpt,
    Llama2,
    Plain,
}

/// A conversation template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The registry's key.
    pub name: String,
    pub system: String,
    pub roles: [String; 2],
    pub version: String,
    pub style: SeparatorStyle,
    pub sep: String,
    /// Separator after an answer; `None` where the style has only one.
    pub sep2: Option<String>,
}

const USER_POLITE: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant gives \
                           helpful, detailed, and polite answers to the user's questions.";
const HUMAN_POLITE: &str = "A chat between a curious human and an artificial intelligence assistant. The assistant gives \
                            helpful, detailed, and polite answers to the human's questions.";
const MMTAG: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant is able to \
                     understand the visual content that the user provides, and assist the user with a variety of tasks \
                     using natural language.The visual content will be provided with the following format: \
                     <Image>visual content</Image>.";
const LLAMA_2: &str = "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while \
                       being safe.  Your answers should not include any harmful, unethical, racist, sexist, toxic, \
                       dangerous, or illegal content. Please ensure that your responses are socially unbiased and \
                       positive in nature.\n\nIf a question does not make any sense, or is not factually coherent, \
                       explain why instead of answering something not correct. If you don't know the answer to a \
                       question, please don't share false information.";
const LLAVA_LLAMA_2: &str = "You are a helpful language and vision assistant. You are able to understand the visual \
                             content that the user provides, and assist the user with a variety of tasks using natural \
                             language.";
const MPT: &str = "<|im_start|>system\nA conversation between a user and an LLM-based AI assistant. The assistant gives \
                   helpful and honest answers.";

/// One line of the registry.
struct Entry {
    keys: &'static [&'static str],
    version: &'static str,
    style: SeparatorStyle,
    sep: &'static str,
    sep2: Option<&'static str>,
    roles: [&'static str; 2],
    system: &'static str,
}

const VICUNA: [&str; 2] = ["USER", "ASSISTANT"];
const HUMAN: [&str; 2] = ["Human", "Assistant"];

#[rustfmt::skip]
const REGISTRY: &[Entry] = {
    use SeparatorStyle::{Llama2, Mpt, Plain, Single, Two};
    &[
        Entry { keys: &["default", "v0"], version: "Unknown", style: Single, sep: "###", sep2: None, roles: HUMAN, system: HUMAN_POLITE },
        Entry { keys: &["v1", "vicuna_v1"], version: "v1", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["llava_v1"], version: "v1", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: HUMAN_POLITE },
        Entry { keys: &["v1_mmtag"], version: "v1_mmtag", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: MMTAG },
        Entry { keys: &["mistral"], version: "mistral", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["openchat"], version: "openchat", style: Two, sep: " ", sep2: Some("<|end_of_turn|>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["minicpm"], version: "minicpm", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["phi", "qwen"], version: "phi", style: Two, sep: " ", sep2: Some("<|endoftext|>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["stablelm"], version: "stablelm", style: Two, sep: " ", sep2: Some("<|endoftext|>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["llama_2"], version: "llama_v2", style: Llama2, sep: "<s>", sep2: Some("</s>"), roles: VICUNA, system: LLAMA_2 },
        Entry { keys: &["llava_llama_2"], version: "llama_v2", style: Llama2, sep: "<s>", sep2: Some("</s>"), roles: VICUNA, system: LLAVA_LLAMA_2 },
        Entry { keys: &["plain", "v0_plain"], version: "Unknown", style: Plain, sep: "\n", sep2: None, roles: ["", ""], system: "" },
        Entry { keys: &["llava_v0"], version: "Unknown", style: Single, sep: "###", sep2: None, roles: HUMAN, system: HUMAN_POLITE },
        Entry { keys: &["v0_mmtag"], version: "v0_mmtag", style: Single, sep: "###", sep2: None, roles: HUMAN, system: MMTAG },
        Entry { keys: &["mpt"], version: "mpt", style: Mpt, sep: "<|im_end|>", sep2: None, roles: ["<|im_start|>user\n", "<|im_start|>assistant\n"], system: MPT },
    ]
};

impl Template {
    /// The keys of the registry, in its order.
    pub fn names() -> Vec<&'static str> {
        REGISTRY.iter().flat_map(|e| e.keys.iter().copied()).collect()
    }

    /// The template of a registry key.
    pub fn named(name: &str) -> Option<Self> {
        let entry = REGISTRY.iter().find(|e| e.keys.contains(&name))?;
        Some(Self {
            name: name.to_string(),
            system: entry.system.to_string(),
            roles: entry.roles.map(String::from),
            version: entry.version.to_string(),
            style: entry.style,
            sep: entry.sep.to_string(),
            sep2: entry.sep2.map(String::from),
        })
    }

    /// What `--version NAME` of the training script gives: a key other than `v0` and `v0.5` that exists, else `vicuna_v1`.
    ///
    /// The script never says that a name is unknown; whoever calls this should.
    pub fn for_version(version: &str) -> Option<Self> {
        match version {
            "v0" | "v0.5" => Self::named("vicuna_v1"),
            name => Self::named(name).or_else(|| Self::named("vicuna_v1")),
        }
    }

    /// The whole conversation as one text (`get_prompt`).
    ///
    /// # Errors
    /// `AssertionError` where the Llama-2 style meets an empty first turn.
    pub fn prompt(&self, messages: &[(usize, String)]) -> Result<String, PythonError> {
        let sep2 = self.sep2.as_deref().unwrap_or("");
        let mut prompt = match self.style {
            SeparatorStyle::Llama2 => String::new(),
            SeparatorStyle::Plain => self.system.clone(),
            _ => format!("{}{}", self.system, self.sep),
        };
        for (turn, (role, message)) in messages.iter().enumerate() {
            let name = self.roles.get(*role).map_or("", String::as_str);
            let sep = if turn % 2 == 0 { self.sep.as_str() } else { sep2 };
            match (self.style, message.is_empty()) {
                (SeparatorStyle::Single, false) => prompt += &format!("{name}: {message}{}", self.sep),
                (SeparatorStyle::Two, false) => prompt += &format!("{name}: {message}{sep}"),
                (SeparatorStyle::Single | SeparatorStyle::Two, true) => prompt += &format!("{name}:"),
                (SeparatorStyle::Mpt, false) => prompt += &format!("{name}{message}{}", self.sep),
                (SeparatorStyle::Mpt, true) => prompt += name,
                (SeparatorStyle::Plain, _) => {
                    prompt += &format!("{message}{}", if message.is_empty() { "" } else { sep })
                }
                (SeparatorStyle::Llama2, empty) => {
                    if turn == 0 && empty {
                        return Err(PythonError::new("AssertionError", "first message should not be none"));
                    }
                    prompt += &self.llama_2_turn(turn, message);
                }
            }
        }
        if self.style == SeparatorStyle::Llama2 {
            // Python's `lstrip(sep)` strips the *characters* of sep.
            prompt = prompt.trim_start_matches(|c| self.sep.contains(c)).to_string();
        }
        Ok(prompt)
    }

    fn llama_2_turn(&self, turn: usize, message: &str) -> String {
        if message.is_empty() {
            return String::new();
        }
        if turn % 2 == 1 {
            return format!(" {message} {}", self.sep2.as_deref().unwrap_or(""));
        }
        let system =
            if turn == 0 { format!("<<SYS>>\n{}\n<</SYS>>\n\n", self.system) } else { String::new() };
        format!("{}[INST] {system}{message} [/INST]", self.sep)
    }
}

/// The turns as (role index, text): a first turn that is not the human's is dropped, then roles must alternate.
///
/// # Errors
/// `KeyError` for a speaker other than `human` and `gpt`; `AssertionError` with the sample's index (always
/// `0`: samples come one by one) where roles do not alternate; `IndexError` for a conversation without turns.
pub fn build_messages(turns: &[Turn]) -> Result<Vec<(usize, String)>, PythonError> {
    let role = |turn: &Turn| match turn.from.as_str() {
        "human" => Ok(0),
        "gpt" => Ok(1),
        other => Err(PythonError::new("KeyError", python_repr(other))),
    };
    let first = turns.first().ok_or_else(|| PythonError::new("IndexError", "list index out of range"))?;
    let skip = usize::from(role(first)? != 0);
    let mut messages = Vec::with_capacity(turns.len());
    for (i, turn) in turns.iter().skip(skip).enumerate() {
        let role = role(turn)?;
        if role != i % 2 {
            return Err(PythonError::new("AssertionError", "0"));
        }
        messages.push((role, turn.value.clone()));
    }
    Ok(messages)
}

/// The prompt of the `###` fall-through: header, marked turns, and an open marker. Returns the header and the
/// pieces too, as their lengths are what the rule counts.
pub fn speaker_prompt(template: &Template, turns: &[Turn]) -> (String, String, Vec<String>) {
    let header = format!("{}\n\n", template.system);
    let pieces: Vec<String> = turns
        .iter()
        .map(|turn| {
            let [human, gpt] = &template.roles;
            let speaker = match turn.from.to_lowercase().as_str() {
                "human" => human,
                "gpt" => gpt,
                _ => "unknown",
            };
            format!("### {speaker}: {}\n", turn.value)
        })
        .collect();
    (format!("{header}{}### ", pieces.concat()), header, pieces)
}
