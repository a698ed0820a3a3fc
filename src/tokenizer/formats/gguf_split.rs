//! How a GGUF vocabulary of the kind gpt2 cuts texts before its merges: a name in the header, patterns here.
//!
//! The header names the pattern (`tokenizer.ggml.pre`) but does not hold it. The patterns are those that the
//! models publish in their own tokenizer.json (`pre_tokenizer`); the names are those that llama.cpp gives them.
//! Several patterns cut one after the other: each cuts the stretches that the one before it left.

use super::tiktoken::{DIGIT_BY_DIGIT_PATTERN, GPT2_PATTERN, O200K_PATTERN, THREE_DIGITS_PATTERN};

/// The patterns of a name, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub patterns: &'static [&'static str],
    /// A stretch that is an entry of the vocabulary is taken whole.
    pub ignore_merges: bool,
}

const CJK: &str = r"[一-龥ࠀ-一가-퟿]+";
const CJK_AND_KANA: &str = r"[一-龥\u3040-ゟ゠-ヿ]+";
const DEEPSEEK_V3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##,
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// As [`DIGIT_BY_DIGIT_PATTERN`], with marks belonging to letters.
const QWEN35: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}",
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
const SEED: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const PUNCTUATION: &str = r"[\p{P}\$\+<=>\^~\|`]+";

/// The cut of a name; `None` for one that is not known here.
pub fn split(name: &str) -> Option<Split> {
    let cut = |patterns| Some(Split { patterns, ignore_merges: false });
    let whole = |patterns| Some(Split { patterns, ignore_merges: true });
    match name {
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling" | "jina-es"
        | "jina-de" | "jina-v2-es" | "jina-v2-de" | "jina-v1-en" | "jina-v2-code" | "roberta-bpe"
        | "gigachat" | "a.x-4.0" | "mellum" | "modern-bert" | "exaone4" => cut(&[GPT2_PATTERN]),
        "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b"
        | "mellum2" => cut(&[r"\p{N}", GPT2_PATTERN]),
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2"
        | "jina-v5-nano" => whole(&[THREE_DIGITS_PATTERN]),
        "dbrx" | "smaug-bpe" | "chatglm-bpe" | "glm4" | "glm5" => cut(&[THREE_DIGITS_PATTERN]),
        "stablelm2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "hunyuan" | "solar-open" | "megrez"
        | "grok-2" => cut(&[DIGIT_BY_DIGIT_PATTERN]),
        "qwen35" => cut(&[QWEN35]),
        "deepseek-llm" => cut(&[
            r"[\r\n]",
            r"\s?[\p{Lu}\p{Ll}\p{Lt}]+",
            r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
            r"\s+$",
            CJK,
            r"\p{N}+",
        ]),
        "deepseek-coder" => cut(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"]),
        "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => {
            cut(&[r"\p{N}{1,3}", CJK_AND_KANA, DEEPSEEK_V3])
        }
        "falcon" => cut(&[PUNCTUATION, GPT2_PATTERN, "[0-9][0-9][0-9]"]),
        "gpt-4o" | "llama4" | "kanana2" | "talkie" => whole(&[O200K_PATTERN]),
        "minimax-m2" => cut(&[O200K_PATTERN]),
        "bloom" | "poro-chat" | "gpt3-finnish" => cut(&[BLOOM]),
        "viking" => cut(&[BLOOM, r"\p{N}"]),
        "seed-coder" => cut(&[SEED]),
        "default" => cut(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2_PATTERN, r"\p{N}+", "[0-9][0-9][0-9]"]),
        _ => None,
    }
}
