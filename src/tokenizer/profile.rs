//! The Python classes by name: what each brings along before any file is read.
//!
//! Source: the behaviour of transformers 4.31.0, 4.37.0 and 5.23.0, checked against the goldens and against records of
//! `tests/scripts/record_tokenizers.py`.

use super::class::{Loader, Side};
use super::slow::tiktoken::TiktokenClassKind;
use super::special::Role;

/// The family of a slow class: which model it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowKind {
    /// Byte-level BPE from `vocab.json` + `merges.txt`.
    ByteLevel,
    /// The same, between `<s>` and `</s>`.
    Roberta,
    /// SentencePiece with Llama's joins.
    Llama,
    /// Llama's, always with the newer joins.
    CodeLlama,
    /// SentencePiece with T5's sentinels.
    T5,
    /// Byte-level BPE with Qwen-2's split pattern.
    Qwen2,
    /// No slow class here; 5.x rebuilds its pipeline.
    Gemma,
    /// WordCache by rules, then WordPiece from `vocab.txt`.
    Bert,
    /// SentencePiece Unigram with ids moved up by one.
    XlmRoberta,
    /// tiktoken ranks with a closed list of special tokens.
    Tiktoken(TiktokenClassKind),
}

/// What the fast class of 4.x changes in the pipeline of a `tokenizer.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastChange {
    /// Nothing.
    Nothing,
    /// `add_prefix_space` of the configuration decides over that of the byte-level step.
    PrefixSpace,
    /// The same wherever it is false, from 4.37 on, and only towards true.
    PrefixSpaceAnywhere,
    /// The same, and `add_prefix_space` and `trim_offsets` of the post-processor.
    PrefixSpaceAndTrim,
    /// Case, accents and Chinese characters of the normalizer.
    BertNormalizer,
    /// The post-processor is made anew from `add_bos_token` and `add_eos_token`.
    BosAndEos,
}

/// Which of the two families of a class has an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeScope {
    Neither,
    Slow,
    Both,
}

impl AttributeScope {
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
    /// `normalized` of a mask token given as a string, which then takes the white space to its left.
    pub mask: Option<bool>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    /// The attributes `add_bos_token`, `add_eos_token` and `add_prefix_space` in 4.x.
    pub attributes: [AttributeScope; 3],
    pub clean_up_tokenization_spaces: bool,
    /// Padding side of the fast class without a value in the configuration.
    pub fast_padding_side: Side,
    pub fast_change: FastChange,
}

const ENDOFTEXT: &[(Role, &str)] =
    &[(Role::Bos, "<|endoftext|>"), (Role::Eos, "<|endoftext|>"), (Role::Unk, "<|endoftext|>")];

const FAIRSEQ: &[(Role, &str)] = &[
    (Role::Bos, "<s>"),
    (Role::Eos, "</s>"),
    (Role::Unk, "<unk>"),
    (Role::Sep, "</s>"),
    (Role::Pad, "<pad>"),
    (Role::Cls, "<s>"),
    (Role::Mask, "<mask>"),
];

const LLAMA: &[(Role, &str)] = &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>")];

/// A class that is only known by name: nothing of its own, `tokenizer.json` decides.
const GENERIC: Profile = Profile {
    class: "PreTrainedTokenizer",
    slow: None,
    tokens: &[],
    wraps_strings: None,
    mask: None,
    adds_bos: false,
    adds_eos: false,
    attributes: [AttributeScope::Neither; 3],
    clean_up_tokenization_spaces: true,
    fast_padding_side: Side::Right,
    fast_change: FastChange::Nothing,
};

const GPT2: Profile = Profile {
    class: "GPT2Tokenizer",
    slow: Some(SlowKind::ByteLevel),
    tokens: ENDOFTEXT,
    wraps_strings: Some(true),
    attributes: [AttributeScope::Both, AttributeScope::Neither, AttributeScope::Both],
    fast_change: FastChange::PrefixSpace,
    ..GENERIC
};

const ROBERTA: Profile = Profile {
    class: "RobertaTokenizer",
    slow: Some(SlowKind::Roberta),
    tokens: FAIRSEQ,
    wraps_strings: Some(true),
    mask: Some(false),
    adds_bos: true,
    adds_eos: true,
    attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
    fast_change: FastChange::PrefixSpaceAndTrim,
    ..GENERIC
};

const LLAMA_PROFILE: Profile = Profile {
    class: "LlamaTokenizer",
    slow: Some(SlowKind::Llama),
    tokens: LLAMA,
    wraps_strings: Some(false),
    adds_bos: true,
    attributes: [AttributeScope::Both, AttributeScope::Both, AttributeScope::Neither],
    clean_up_tokenization_spaces: false,
    fast_padding_side: Side::Left,
    fast_change: FastChange::BosAndEos,
    ..GENERIC
};

const T5: Profile = Profile {
    class: "T5Tokenizer",
    slow: Some(SlowKind::T5),
    tokens: &[(Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")],
    wraps_strings: Some(false),
    adds_eos: true,
    ..GENERIC
};

const BERT: Profile = Profile {
    class: "BertTokenizer",
    slow: Some(SlowKind::Bert),
    tokens: &[
        (Role::Unk, "[UNK]"),
        (Role::Sep, "[SEP]"),
        (Role::Pad, "[PAD]"),
        (Role::Cls, "[CLS]"),
        (Role::Mask, "[MASK]"),
    ],
    adds_bos: true,
    adds_eos: true,
    fast_change: FastChange::BertNormalizer,
    ..GENERIC
};

const PROFILES: &[Profile] = &[
    GPT2,
    Profile {
        class: "CodeGenTokenizer",
        wraps_strings: Some(false),
        attributes: [AttributeScope::Slow, AttributeScope::Neither, AttributeScope::Both],
        ..GPT2
    },
    Profile {
        class: "GPTNeoXTokenizer",
        slow: None,
        attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
        wraps_strings: None,
        ..GPT2
    },
    Profile {
        class: "BloomTokenizer",
        tokens: &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")],
        attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
        clean_up_tokenization_spaces: false,
        fast_change: FastChange::PrefixSpaceAnywhere,
        ..GENERIC
    },
    Profile {
        class: "CohereTokenizer",
        tokens: &[
            (Role::Bos, "<BOS_TOKEN>"),
            (Role::Eos, "<|END_OF_TURN_TOKEN|>"),
            (Role::Unk, "<UNK>"),
            (Role::Pad, "<PAD>"),
            (Role::Cls, "<CLS>"),
            (Role::Sep, "<SEP>"),
            (Role::Mask, "<MASK_TOKEN>"),
        ],
        clean_up_tokenization_spaces: false,
        fast_padding_side: Side::Left,
        ..GENERIC
    },
    ROBERTA,
    Profile { class: "BartTokenizer", mask: Some(true), ..ROBERTA },
    Profile { class: "LongformerTokenizer", ..ROBERTA },
    Profile { class: "LEDTokenizer", mask: Some(true), ..ROBERTA },
    Profile { class: "MvpTokenizer", wraps_strings: Some(false), ..ROBERTA },
    LLAMA_PROFILE,
    Profile { class: "CodeLlamaTokenizer", slow: Some(SlowKind::CodeLlama), ..LLAMA_PROFILE },
    T5,
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
    BERT,
    Profile { class: "DistilBertTokenizer", ..BERT },
    Profile { class: "ElectraTokenizer", ..BERT },
    Profile { class: "MobileBertTokenizer", ..BERT },
    Profile {
        class: "XLMRobertaTokenizer",
        slow: Some(SlowKind::XlmRoberta),
        tokens: FAIRSEQ,
        mask: Some(false),
        adds_bos: true,
        adds_eos: true,
        ..GENERIC
    },
    Profile { class: "QWenTokenizer", slow: Some(SlowKind::Tiktoken(TiktokenClassKind::Qwen)), ..GENERIC },
    Profile {
        class: "Arcade100kTokenizer",
        slow: Some(SlowKind::Tiktoken(TiktokenClassKind::Arcade100k)),
        ..GENERIC
    },
];

/// The class of a model that config.json names, for folders without a tokenizer configuration.
const MODEL_TYPES: &[(&str, &str)] = &[
    ("bart", "BartTokenizer"),
    ("bert", "BertTokenizer"),
    ("bloom", "BloomTokenizerFast"),
    ("codegen", "CodeGenTokenizer"),
    ("cohere", "CohereTokenizerFast"),
    ("distilbert", "DistilBertTokenizer"),
    ("electra", "ElectraTokenizer"),
    ("gemma", "GemmaTokenizer"),
    ("gemma2", "GemmaTokenizer"),
    ("gpt2", "GPT2Tokenizer"),
    ("gpt_bigcode", "GPT2Tokenizer"),
    ("gpt_neo", "GPT2Tokenizer"),
    ("gpt_neox", "GPTNeoXTokenizerFast"),
    ("gptj", "GPT2Tokenizer"),
    ("llama", "LlamaTokenizer"),
    ("llava", "LlamaTokenizer"),
    ("mistral", "LlamaTokenizer"),
    ("mixtral", "LlamaTokenizer"),
    ("mpt", "GPTNeoXTokenizerFast"),
    ("mt5", "MT5Tokenizer"),
    ("opt", "GPT2Tokenizer"),
    ("phi", "CodeGenTokenizer"),
    ("qwen2", "Qwen2Tokenizer"),
    ("roberta", "RobertaTokenizer"),
    ("t5", "T5Tokenizer"),
    ("xlm-roberta", "XLMRobertaTokenizer"),
];

impl SlowKind {
    /// True where the slow Python class itself is reproduced, not only its files read.
    pub fn has_slow_class(self) -> bool {
        !matches!(self, Self::Gemma)
    }

    /// True for classes that put the tokens of `cls` and `sep` around a text, not those of bos and eos.
    pub fn is_between_cls_and_sep(self) -> bool {
        matches!(self, Self::Roberta | Self::Bert | Self::XlmRoberta)
    }
}

impl Profile {
    /// The profile of a class name, with or without `Fast`; a generic one for a class that is not known.
    pub fn of(class: &str) -> &'static Profile {
        let base = Self::base(class);
        PROFILES.iter().find(|p| p.class == base).unwrap_or(&GENERIC)
    }

    /// A class name without `Fast`; of two names for one class the one that Python prints.
    pub fn base(class: &str) -> &str {
        match class.strip_suffix("Fast").unwrap_or(class) {
            "MT5Tokenizer" => "T5Tokenizer",
            base => base,
        }
    }

    /// The first release with this class, where it is not in 4.31.
    pub fn first_release(&self) -> Option<&'static str> {
        Some(match self.class {
            "CodeLlamaTokenizer" => "4.33",
            "Qwen2Tokenizer" => "4.37",
            "GemmaTokenizer" => "4.38",
            "CohereTokenizer" => "4.39",
            _ => return None,
        })
    }

    /// The class that goes with the `model_type` of a config.json.
    pub fn class_of_model(model_type: &str) -> Option<&'static str> {
        MODEL_TYPES.iter().find(|(name, _)| *name == model_type).map(|(_, class)| *class)
    }

    /// Padding side of the class of 5.x without a value in the configuration.
    pub fn v5_padding_side(&self) -> Side {
        self.fast_padding_side
    }

    /// True when this class's behaviour is written down here, false for the generic stand-in.
    pub fn is_known(class: &str) -> bool {
        let base = Self::base(class);
        base == GENERIC.class || PROFILES.iter().any(|p| p.class == base)
    }

    /// True where the converter of 4.x gives the fast class a post-processor for `add_bos_token`.
    pub fn adds_bos_when_converted(&self) -> bool {
        self.class == "GPT2Tokenizer"
    }

    /// The roles whose tokens the slow class puts around a text.
    pub fn ends(&self) -> [Role; 2] {
        match self.slow {
            Some(kind) if kind.is_between_cls_and_sep() => [Role::Cls, Role::Sep],
            _ => [Role::Bos, Role::Eos],
        }
    }
}
