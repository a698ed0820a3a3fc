//! LLaVA's conversation templates: five ways of writing a conversation as one prompt.
//!
//! The registry and its texts are MoE-LLaVA's; a prompt must equal the training code's to the byte, as every
//! label depends on it.

use super::prompt::{Prompt, Speaker, TurnFrame};
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

/// What the code before a template does with the placeholders of images in a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImagePlaces {
    /// They stay where they are (MoE-LLaVA).
    #[default]
    Kept,
    /// One stands in front, with a line end behind it, and white space around the turn is taken off (LLaVA).
    Moved,
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
    pub images: ImagePlaces,
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

const LLAMA_3_POLITE: &str = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nA chat between a curious user and an artificial \
                              intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";
const CHATML: [&str; 2] = ["<|im_start|>user\n", "<|im_start|>assistant\n"];

/// Templates of other repositories of the family, under names that tell whose they are where MoE-LLaVA has the key too.
#[rustfmt::skip]
const ELSEWHERE: &[Entry] = {
    use SeparatorStyle::{Llama2, Mpt, Two};
    &[
        Entry { keys: &["bunny", "bunny_phi3"], version: "bunny", style: Two, sep: " ", sep2: Some("<|endoftext|>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["bunny_minicpm"], version: "bunny_minicpm", style: Two, sep: " ", sep2: Some("</s>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["bunny_llama"], version: "bunny_llama", style: Two, sep: " ", sep2: Some("<|end_of_text|>"), roles: VICUNA, system: USER_POLITE },
        Entry { keys: &["chatml_direct", "mistral_direct"], version: "llava_mpt", style: Mpt, sep: "<|im_end|>", sep2: None, roles: CHATML, system: "<|im_start|>system\nAnswer the questions." },
        Entry { keys: &["llava_mpt"], version: "llava_mpt", style: Mpt, sep: "<|im_end|>", sep2: None, roles: CHATML, system: MPT },
        Entry { keys: &["mistral_instruct"], version: "llama_v2", style: Llama2, sep: "", sep2: Some("</s>"), roles: VICUNA, system: "" },
        Entry { keys: &["llavapp_llama3"], version: "llama3", style: Mpt, sep: "<|eot_id|>", sep2: None, roles: ["<|start_header_id|>user<|end_header_id|>\n\n", "<|start_header_id|>assistant<|end_header_id|>\n\n"], system: LLAMA_3_POLITE },
        Entry { keys: &["phi3_instruct"], version: "phi3", style: Mpt, sep: "<|end|>", sep2: None, roles: ["\n<|user|>\n", "\n<|assistant|>\n"], system: "<|system|>\nYou are a helpful AI assistant." },
    ]
};

impl Template {
    /// The keys of the registry, in its order, then those of other repositories.
    pub fn names() -> Vec<&'static str> {
        REGISTRY.iter().chain(ELSEWHERE).flat_map(|e| e.keys.iter().copied()).collect()
    }

    /// The keys of MoE-LLaVA's registry, in its order.
    pub fn training_names() -> Vec<&'static str> {
        REGISTRY.iter().flat_map(|e| e.keys.iter().copied()).collect()
    }

    /// The template of a registry key.
    pub fn named(name: &str) -> Option<Self> {
        let of = |registry: &'static [Entry]| registry.iter().find(|e| e.keys.contains(&name));
        let (entry, images) = match of(REGISTRY) {
            Some(entry) => (entry, ImagePlaces::Kept),
            None => (of(ELSEWHERE)?, ImagePlaces::Moved),
        };
        Some(Self {
            images,
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
            name if Self::training_names().contains(&name) => Self::named(name),
            _ => Self::named("vicuna_v1"),
        }
    }

    /// The whole conversation as one text (`get_prompt`).
    ///
    /// # Errors
    /// `AssertionError` where the Llama-2 style meets an empty first turn.
    pub fn prompt(&self, messages: &[LlavaMessage]) -> Result<Prompt, PythonError> {
        let mut prompt = Prompt::default();
        match self.style {
            SeparatorStyle::Llama2 => {}
            SeparatorStyle::Plain => prompt.text.push_str(&self.system),
            _ => prompt.text = format!("{}{}", self.system, self.sep),
        }
        for (position, message) in messages.iter().enumerate() {
            if self.style == SeparatorStyle::Llama2 && position == 0 && message.text.is_empty() {
                return Err(PythonError::new("AssertionError", "first message should not be none"));
            }
            let speaker = if message.role == 0 { Speaker::User } else { Speaker::Assistant };
            let frame = self.frame(position, message);
            prompt.push_turn(message.turn, speaker, &frame, message.text);
        }
        if self.style == SeparatorStyle::Llama2 {
            // Python's `lstrip(sep)` strips the *characters* of sep.
            let kept = prompt.text.trim_start_matches(|c| self.sep.contains(c)).len();
            prompt.strip_front(prompt.text.len() - kept);
        }
        Ok(prompt)
    }

    /// What the style writes around the message at `position`; an empty message gets less.
    fn frame(&self, position: usize, message: &LlavaMessage) -> TurnFrame {
        let name = self.roles.get(message.role).map_or("", String::as_str);
        let sep2 = self.sep2.as_deref().unwrap_or("");
        let alternating = if position.is_multiple_of(2) { self.sep.as_str() } else { sep2 };
        let frame = |header: String, gap, separator: &str| TurnFrame {
            header,
            gap,
            separator: separator.to_string(),
        };
        match (self.style, message.text.is_empty()) {
            (SeparatorStyle::Single, false) => frame(format!("{name}:"), " ", &self.sep),
            (SeparatorStyle::Two, false) => frame(format!("{name}:"), " ", alternating),
            (SeparatorStyle::Single | SeparatorStyle::Two, true) => frame(format!("{name}:"), "", ""),
            (SeparatorStyle::Mpt, false) => frame(name.to_string(), "", &self.sep),
            (SeparatorStyle::Mpt, true) => frame(name.to_string(), "", ""),
            (SeparatorStyle::Plain, false) => frame(String::new(), "", alternating),
            (SeparatorStyle::Plain | SeparatorStyle::Llama2, true) => TurnFrame::default(),
            (SeparatorStyle::Llama2, false) if position % 2 == 1 => {
                frame(String::new(), " ", &format!(" {sep2}"))
            }
            (SeparatorStyle::Llama2, false) => {
                let system = match position {
                    0 if self.system.is_empty() => String::new(),
                    0 => format!("<<SYS>>\n{}\n<</SYS>>\n\n", self.system),
                    _ => String::new(),
                };
                frame(format!("{}[INST] {system}", self.sep), "", " [/INST]")
            }
        }
    }
}

/// A turn as LLaVA's templates take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlavaMessage<'t> {
    /// Index among the sample's turns.
    pub turn: usize,
    /// Index in [`Template::roles`].
    pub role: usize,
    pub text: &'t str,
}

/// The turns as messages: a first turn that is not the human's is dropped, then roles must alternate.
///
/// # Errors
/// `KeyError` for a speaker other than `human` and `gpt`; `AssertionError` with the sample's index (always
/// `0`: samples come one by one) where roles do not alternate; `IndexError` for a conversation without turns.
pub fn build_messages(turns: &[Turn]) -> Result<Vec<LlavaMessage<'_>>, PythonError> {
    let role = |turn: &Turn| match turn.from.as_str() {
        "human" => Ok(0),
        "gpt" => Ok(1),
        other => Err(PythonError::new("KeyError", python_repr(other))),
    };
    let first = turns.first().ok_or_else(|| PythonError::new("IndexError", "list index out of range"))?;
    let skip = usize::from(role(first)? != 0);
    let mut messages = Vec::with_capacity(turns.len());
    for (index, turn) in turns.iter().enumerate().skip(skip) {
        let role = role(turn)?;
        if role != (index - skip) % 2 {
            return Err(PythonError::new("AssertionError", "0"));
        }
        messages.push(LlavaMessage { turn: index, role, text: &turn.value });
    }
    Ok(messages)
}

/// The header of [`speaker_prompt`]: all that stands before its turns.
pub fn speaker_header(template: &Template) -> String {
    format!("{}\n\n", template.system)
}

/// The prompt of the `###` fall-through: header, marked turns, and an open marker.
pub fn speaker_prompt(template: &Template, turns: &[Turn]) -> Prompt {
    let mut prompt = Prompt { text: speaker_header(template), ..Prompt::default() };
    for (index, turn) in turns.iter().enumerate() {
        let [human, gpt] = &template.roles;
        let (speaker, name) = match turn.from.to_lowercase().as_str() {
            "human" => (Speaker::User, human.as_str()),
            "gpt" => (Speaker::Assistant, gpt.as_str()),
            _ => (Speaker::User, "unknown"),
        };
        let frame = TurnFrame { header: format!("### {name}:"), gap: " ", separator: "\n".to_string() };
        prompt.push_turn(index, speaker, &frame, &turn.value);
    }
    prompt.text.push_str("### ");
    prompt
}

/// The prompt of image pre-training: placeholder, caption, separator. The question is not in it.
pub fn caption_prompt(template: &Template, placeholder: &str, caption: &str) -> Prompt {
    let mut prompt = Prompt { text: placeholder.to_string(), ..Prompt::default() };
    let frame = TurnFrame { separator: template.sep.clone(), ..TurnFrame::default() };
    prompt.push_turn(1, Speaker::Assistant, &frame, caption);
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `header|content|separator` of every turn.
    fn pieces(prompt: &Prompt) -> Vec<String> {
        let slice = |range: &std::ops::Range<usize>| prompt.text[range.clone()].to_string();
        let turn = |t: &crate::chat::TurnLayout| [&t.header, &t.content, &t.separator].map(slice).join("|");
        prompt.layout.turns.iter().map(turn).collect()
    }

    #[test]
    fn every_style_notes_where_its_turns_lie() {
        // "s" and "SISTANT" also occur in separators and role names: a search would find the wrong place.
        let turns = [Turn::new("gpt", "dropped"), Turn::new("human", "s"), Turn::new("gpt", "SISTANT")];
        let turns = [&turns[..], &[Turn::new("human", ">"), Turn::new("gpt", "")]].concat();
        for (name, expected) in [
            ("v0", ["Human:|s|###", "Assistant:|SISTANT|###", "Human:|>|###", "Assistant:||"]),
            ("vicuna_v1", ["USER:|s| ", "ASSISTANT:|SISTANT|</s>", "USER:|>| ", "ASSISTANT:||"]),
            ("plain", ["|s|\n", "|SISTANT|", "|>|\n", "||"]),
        ] {
            let template = Template::named(name).unwrap();
            let prompt = template.prompt(&build_messages(&turns).unwrap()).unwrap();
            assert_eq!(pieces(&prompt), expected, "{name}");
            let layout = &prompt.layout.turns;
            assert!(layout.windows(2).all(|pair| pair[0].whole.end == pair[1].whole.start), "{name}");
            assert_eq!(layout.iter().map(|t| t.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
            assert_eq!(layout.last().unwrap().whole.end, prompt.text.len());
        }
    }

    #[test]
    fn llama_2_positions_follow_the_stripped_separator() {
        let template = Template::named("llama_2").unwrap();
        let turns =
            ["q", "a", "q", "a"].map(|text| Turn::new(if text == "q" { "human" } else { "gpt" }, text));
        let prompt = template.prompt(&build_messages(&turns).unwrap()).unwrap();
        let pieces = pieces(&prompt);
        assert!(pieces[0].starts_with("[INST] <<SYS>>\n") && pieces[0].ends_with("<</SYS>>\n\n|q| [/INST]"));
        assert_eq!(pieces[1..], ["|a| </s>", "<s>[INST] |q| [/INST]", "|a| </s>"]);
    }

    #[test]
    fn the_fall_through_notes_its_turns_too() {
        let template = Template::named("v0").unwrap();
        let prompt = speaker_prompt(&template, &[Turn::new("human", "man"), Turn::new("alien", "")]);
        assert_eq!(pieces(&prompt), ["### Human:|man|\n", "### unknown:||\n"]);
        assert_eq!(prompt.text, format!("{}\n\n### Human: man\n### unknown: \n### ", template.system));
        let caption = caption_prompt(&Template::named("plain").unwrap(), "<image>", "image");
        assert_eq!((caption.text.as_str(), pieces(&caption)), ("<image>image\n", vec!["|image|\n".into()]));
    }
}
