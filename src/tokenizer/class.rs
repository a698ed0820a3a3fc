//! The Python classes: their names, defaults and habits, as facts.
//!
//! A [`Profile`] is what a class brings along before any file is read; [`ClassFacts`] is what is known of a
//! loaded one. Source: transformers 4.31.0, 4.37.0 and 5.23.0, checked against the goldens.

use super::slow::tiktoken::TiktokenClassKind;
use super::special::Role;

/// `model_max_length` of a tokenizer that names none: Python's `int(1e30)`.
pub const VERY_LARGE_INTEGER: u128 = 1_000_000_000_000_000_019_884_624_838_656;

/// Which of the two Python class families is reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loader {
    Slow,
    Fast,
}

impl Loader {
    /// `slow` or `fast`, as the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }
}

/// The release of transformers whose behaviour is reproduced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 4.31: the release that the customization guide recommends for Llama.
    V4_31,
    /// 4.37: the release that MoE-LLaVA pins.
    #[default]
    V4_37,
    /// 5.x: one class a model, rebuilt over the `tokenizers` library.
    V5,
}

impl Release {
    /// Reads `4.31`, `4.37.2`, `5`, …; also says whether that very release was measured.
    pub fn parse(text: &str) -> Option<(Self, bool)> {
        let mut numbers = text.trim().split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().transpose().ok()?;
        match (major, minor) {
            (4, Some(31)) => Some((Self::V4_31, true)),
            (4, Some(minor)) if minor < 34 => Some((Self::V4_31, false)),
            (4, Some(37)) => Some((Self::V4_37, true)),
            (4, _) => Some((Self::V4_37, false)),
            (5, None | Some(23)) => Some((Self::V5, true)),
            (5, _) => Some((Self::V5, false)),
            _ => None,
        }
    }

    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4_31 => "4.31",
            Self::V4_37 => "4.37",
            Self::V5 => "5",
        }
    }
}

/// The side on which a batch is padded or cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    Left,
    #[default]
    Right,
}

impl Side {
    /// `left` or `right`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// The family of a slow class: which model it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowKind {
    /// Byte-level BPE from `vocab.json` + `merges.txt`.
    ByteLevel,
    /// SentencePiece with Llama's joins.
    Llama,
    /// SentencePiece with T5's sentinels.
    T5,
    /// Byte-level BPE with Qwen-2's split pattern.
    Qwen2,
    /// No slow class here; 5.x rebuilds its pipeline.
    Gemma,
    /// WordPiece from `vocab.txt`; built as the fast class.
    Bert,
    /// SentencePiece Unigram with ids moved up by one; built as the fast class.
    XlmRoberta,
    /// tiktoken ranks with a closed list of special tokens.
    Tiktoken(TiktokenClassKind),
}

/// Which of the two families of a class has an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Having {
    Neither,
    Slow,
    Both,
}

impl Having {
    /// Whether the class of this loader has it.
    pub fn is_in(self, loader: Loader) -> bool {
        match self {
            Self::Neither => false,
            Self::Slow => loader == Loader::Slow,
            Self::Both => true,
        }
    }
}

/// What a Python class brings along before any file is read.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The class name without `Fast`.
    pub class: &'static str,
    pub slow: Option<SlowKind>,
    /// Default special tokens.
    pub tokens: &'static [(Role, &'static str)],
    /// `normalized` of a special token given as a string; `None` where the class keeps the string.
    pub wraps_strings: Option<bool>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    /// The attributes `add_bos_token`, `add_eos_token` and `add_prefix_space` in 4.x.
    pub attributes: [Having; 3],
    pub clean_up_tokenization_spaces: bool,
    /// Padding side of the fast class without a value in the configuration.
    pub fast_padding_side: Side,
}

const ENDOFTEXT: &[(Role, &str)] =
    &[(Role::Bos, "<|endoftext|>"), (Role::Eos, "<|endoftext|>"), (Role::Unk, "<|endoftext|>")];

const PROFILES: &[Profile] = &[
    Profile {
        class: "GPT2Tokenizer",
        slow: Some(SlowKind::ByteLevel),
        tokens: ENDOFTEXT,
        wraps_strings: Some(true),
        attributes: [Having::Both, Having::Neither, Having::Both],
        ..GENERIC
    },
    Profile {
        class: "CodeGenTokenizer",
        slow: Some(SlowKind::ByteLevel),
        tokens: ENDOFTEXT,
        wraps_strings: Some(false),
        attributes: [Having::Slow, Having::Neither, Having::Both],
        ..GENERIC
    },
    Profile {
        class: "LlamaTokenizer",
        slow: Some(SlowKind::Llama),
        tokens: &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>")],
        wraps_strings: Some(false),
        adds_bos: true,
        attributes: [Having::Both, Having::Both, Having::Neither],
        clean_up_tokenization_spaces: false,
        fast_padding_side: Side::Left,
        ..GENERIC
    },
    Profile {
        class: "T5Tokenizer",
        slow: Some(SlowKind::T5),
        tokens: &[(Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")],
        wraps_strings: Some(false),
        adds_eos: true,
        ..GENERIC
    },
    Profile {
        class: "Qwen2Tokenizer",
        slow: Some(SlowKind::Qwen2),
        tokens: &[(Role::Eos, "<|endoftext|>"), (Role::Unk, "<|endoftext|>"), (Role::Pad, "<|endoftext|>")],
        wraps_strings: Some(false),
        clean_up_tokenization_spaces: false,
        ..GENERIC
    },
    Profile {
        class: "GemmaTokenizer",
        slow: Some(SlowKind::Gemma),
        tokens: &[
            (Role::Bos, "<bos>"),
            (Role::Eos, "<eos>"),
            (Role::Unk, "<unk>"),
            (Role::Pad, "<pad>"),
            (Role::Mask, "<mask>"),
        ],
        wraps_strings: Some(false),
        adds_bos: true,
        clean_up_tokenization_spaces: false,
        fast_padding_side: Side::Left,
        ..GENERIC
    },
    Profile {
        class: "BertTokenizer",
        slow: Some(SlowKind::Bert),
        tokens: &[
            (Role::Unk, "[UNK]"),
            (Role::Sep, "[SEP]"),
            (Role::Pad, "[PAD]"),
            (Role::Cls, "[CLS]"),
            (Role::Mask, "[MASK]"),
        ],
        ..GENERIC
    },
    Profile {
        class: "XLMRobertaTokenizer",
        slow: Some(SlowKind::XlmRoberta),
        tokens: &[
            (Role::Bos, "<s>"),
            (Role::Eos, "</s>"),
            (Role::Unk, "<unk>"),
            (Role::Sep, "</s>"),
            (Role::Pad, "<pad>"),
            (Role::Cls, "<s>"),
            (Role::Mask, "<mask>"),
        ],
        ..GENERIC
    },
    Profile { class: "QWenTokenizer", slow: Some(SlowKind::Tiktoken(TiktokenClassKind::Qwen)), ..GENERIC },
    Profile {
        class: "Arcade100kTokenizer",
        slow: Some(SlowKind::Tiktoken(TiktokenClassKind::Arcade100k)),
        ..GENERIC
    },
];

/// A class that is only known by name: nothing of its own, `tokenizer.json` decides.
const GENERIC: Profile = Profile {
    class: "PreTrainedTokenizer",
    slow: None,
    tokens: &[],
    wraps_strings: None,
    adds_bos: false,
    adds_eos: false,
    attributes: [Having::Neither; 3],
    clean_up_tokenization_spaces: true,
    fast_padding_side: Side::Right,
};

impl SlowKind {
    /// True where the slow Python class itself is reproduced, not only its files read.
    pub fn has_slow_class(self) -> bool {
        !matches!(self, Self::Gemma | Self::Bert | Self::XlmRoberta)
    }
}

impl Profile {
    /// The profile of a class name, with or without `Fast`; a generic one for a class that is not known.
    pub fn of(class: &str) -> &'static Profile {
        let base = class.strip_suffix("Fast").unwrap_or(class);
        PROFILES.iter().find(|p| p.class == base).unwrap_or(&GENERIC)
    }

    /// Padding side of the class of 5.x without a value in the configuration.
    pub fn v5_padding_side(&self) -> Side {
        self.fast_padding_side
    }

    /// True when this class's behaviour is written down here, false for the generic stand-in.
    pub fn is_known(class: &str) -> bool {
        let base = class.strip_suffix("Fast").unwrap_or(class);
        base == GENERIC.class || PROFILES.iter().any(|p| p.class == base)
    }
}

/// What is known of a loaded tokenizer's class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFacts {
    /// `type(tokenizer).__name__`.
    pub name: String,
    pub loader: Loader,
    pub release: Release,
    /// The attribute `legacy`; `None` where the object has no such attribute.
    pub legacy: Option<bool>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    /// The attribute `add_bos_token`, which may differ from what is done; `None` without such an attribute.
    pub add_bos_token: Option<bool>,
    /// The attribute `add_eos_token`.
    pub add_eos_token: Option<bool>,
    /// The attribute `add_prefix_space`.
    pub add_prefix_space: Option<bool>,
    /// False for classes whose list of special tokens is closed (Qwen-1, StableLM).
    pub can_add_tokens: bool,
    pub model_max_length: u128,
    pub padding_side: Side,
    pub truncation_side: Side,
    pub clean_up_tokenization_spaces: bool,
}

impl ClassFacts {
    /// The message of the `AttributeError` that this release raises for a missing attribute.
    pub fn missing_attribute(&self, attribute: &str) -> String {
        match self.release {
            Release::V5 => format!("{} has no attribute {attribute}", self.name),
            _ => format!("'{}' object has no attribute '{attribute}'", self.name),
        }
    }
}
