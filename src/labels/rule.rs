//! The label rules by name, and the choice that the training code makes by a template's style and version.

use crate::chat::{SeparatorStyle, Template};

/// A label rule (`preprocess_*` function).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    V1,
    Phi,
    Openchat,
    Llama2,
    Mpt,
    Plain,
    V0,
    /// The customization guide taken literally: v1 with the two lines of the image branch changed.
    DocQwenPhi,
    /// That, plus the count of sep2 added to total_len.
    DocStablelm,
    /// phi, plus the count of sep2 added to total_len.
    PhiCount,
    /// LLaVA's newer v1, which takes one off both lengths of later rounds for a tokenizer that is not legacy.
    LlavaV1,
    /// LLaVA's newer mpt.
    LlavaMpt,
}

impl Rule {
    /// All rules.
    pub const ALL: [Rule; 12] = [
        Rule::V1,
        Rule::Phi,
        Rule::Openchat,
        Rule::Llama2,
        Rule::Mpt,
        Rule::Plain,
        Rule::V0,
        Rule::DocQwenPhi,
        Rule::DocStablelm,
        Rule::PhiCount,
        Rule::LlavaV1,
        Rule::LlavaMpt,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Rule::V1 => "v1",
            Rule::Phi => "phi",
            Rule::Openchat => "openchat",
            Rule::Llama2 => "llama_2",
            Rule::Mpt => "mpt",
            Rule::Plain => "plain",
            Rule::V0 => "v0",
            Rule::DocQwenPhi => "doc_qwen_phi",
            Rule::DocStablelm => "doc_stablelm",
            Rule::PhiCount => "phi_count",
            Rule::LlavaV1 => "llava_v1",
            Rule::LlavaMpt => "llava_mpt",
        }
    }

    /// A rule by name; `qwen` and `stablelm` are the same function as `phi`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "qwen" | "stablelm" => Some(Rule::Phi),
            name => Self::ALL.into_iter().find(|r| r.name() == name),
        }
    }

    /// What a person should know of the rule, in a line.
    pub fn summary(self) -> &'static str {
        match self {
            Rule::V1 => "Llama-like: the tokenizer puts bos first; each round counts its own bos for the eos",
            Rule::Phi => "no bos: starts at 0 and adds 1 a round for the eos (qwen and stablelm run it too)",
            Rule::Openchat => "the same arithmetic as v1 (openchat, mistral, minicpm)",
            Rule::Llama2 => "[INST] … [/INST] rounds",
            Rule::Mpt => "ChatML-like rounds, the closing separator counted by itself",
            Rule::Plain => {
                "image pre-training: image, then a caption that is all supervised; no length check"
            }
            Rule::V0 => "### turns, each encoded alone; no length check",
            Rule::DocQwenPhi => "the customization guide taken literally: cur_len still starts at 1",
            Rule::DocStablelm => "the guide's StableLM lines taken literally: also adds the count of sep2",
            Rule::PhiCount => "phi plus the count of sep2, for a pad that equals eos",
            Rule::LlavaV1 => "newer LLaVA: one less in later rounds when the tokenizer is not legacy",
            Rule::LlavaMpt => "newer LLaVA: one more in later rounds when the tokenizer is legacy",
        }
    }

    /// The text that must stand exactly once in a round, between instruction and answer.
    pub fn answer_mark(self, template: &Template) -> String {
        match self {
            Rule::Llama2 => "[/INST] ".to_string(),
            Rule::Mpt | Rule::LlavaMpt => format!("{}{}", template.sep, template.roles[1]),
            _ => format!("{}{}: ", template.sep, template.roles[1]),
        }
    }

    /// The rule that the training code runs for a template.
    pub fn dispatch(template: &Template) -> Self {
        let version = template.version.as_str();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|p| version.starts_with(p));
        match template.style {
            SeparatorStyle::Plain => Rule::Plain,
            SeparatorStyle::Llama2 => Rule::Llama2,
            _ if starts(&["phi", "qwen", "stablelm"]) => Rule::Phi,
            _ if starts(&["openchat", "mistral", "minicpm"]) => Rule::Openchat,
            _ if starts(&["v1"]) => Rule::V1,
            _ if version == "mpt" => Rule::Mpt,
            _ => Rule::V0,
        }
    }
}
