//! What the measured findings (docs/doctor.md, section 3) say of each combination: the causes that must be named.

/// File prefixes, template/rule pairs, and the structural causes. The first row that fits counts.
pub const TABLE: &[(&[&str], &[&str], &[&str])] = &[
    // Rules that compare no lengths by rounds: only a missing pad stops them.
    (&["phi2.slow.tf4.31.0.train"], NOT_COUNTING, &["MSK009"]),
    (PAD_NONE, NOT_COUNTING, &["MSK009"]),
    (&[""], NOT_COUNTING, &[]),
    // Pad is None: finding 6, and 14 for phi-2's slow class on 4.31.
    (&["phi2.slow.tf4.31.0.train"], COUNTING, &["MSK009"]),
    (PAD_NONE, COUNTING, &["MSK009"]),
    // Finding 1: pad is eos. Finding 2: the count of sep2 repairs exactly that.
    (PAD_EOS, &["phi/phi_count", "stablelm/phi_count", "qwen/phi_count"], &[]),
    (PAD_EOS, &["phi/dispatch", "phi/phi", "stablelm/dispatch", "qwen/dispatch"], &["MSK006"]),
    (PAD_EOS, &["phi/v1", "phi/openchat", "stablelm/v1", "qwen/v1"], &["MSK004", "MSK006"]),
    (PAD_EOS, &["phi/llava_v1"], &["MSK004", "MSK006", "MSK021"]),
    (PAD_EOS, &["phi/doc_qwen_phi"], &["MSK006", "MSK025"]),
    (PAD_EOS, &["phi/doc_stablelm"], &["MSK025"]),
    // Findings 2 to 4 and 11: tokenizers without bos under their own templates.
    (
        NO_BOS,
        &["phi/dispatch", "phi/phi", "qwen/dispatch", "qwen/phi", "stablelm/dispatch", "stablelm/phi"],
        &[],
    ),
    (
        NO_BOS,
        &["phi/v1", "qwen/v1", "stablelm/v1", "phi/openchat", "qwen/openchat", "stablelm/openchat"],
        &["MSK004"],
    ),
    (NO_BOS, &["phi/doc_qwen_phi", "qwen/doc_qwen_phi", "stablelm/doc_qwen_phi"], &["MSK025"]),
    (NO_BOS, &["phi/doc_stablelm", "qwen/doc_stablelm", "stablelm/doc_stablelm"], &["MSK007", "MSK025"]),
    (NO_BOS, &["phi/phi_count", "qwen/phi_count", "stablelm/phi_count"], &["MSK007"]),
    (NO_BOS, &["phi/llava_v1", "qwen/llava_v1", "stablelm/llava_v1"], &["MSK004", "MSK021"]),
    // Separators that are no token of theirs.
    (
        NO_BOS,
        &["v1/dispatch", "mistral/dispatch", "openchat/dispatch", "minicpm/dispatch", "v1_mmtag/dispatch"],
        &["MSK004", "MSK005"],
    ),
    (NO_BOS, &["llama_2/dispatch", "llava_llama_2/dispatch"], &["MSK004", "MSK005"]),
    // Finding 32: mpt works where <|im_end|> is one token.
    (&["phi2.", "gpt2."], &["mpt/dispatch"], &["MSK005"]),
    (&["qwen", "arcade100k."], &["mpt/dispatch"], &[]),
    // Findings 5, 7, 10 and 12: Llama's family.
    (
        LLAMA,
        &[
            "v1/dispatch",
            "v1/v1",
            "v1/openchat",
            "mistral/dispatch",
            "mistral/v1",
            "mistral/openchat",
            "minicpm/dispatch",
            "v1_mmtag/dispatch",
            "llama_2/dispatch",
            "llava_llama_2/dispatch",
        ],
        &[],
    ),
    (LLAMA, &["v1/phi", "mistral/phi", "v1/doc_qwen_phi", "mistral/doc_qwen_phi"], &["MSK003"]),
    (LLAMA, &["v1/doc_stablelm", "mistral/doc_stablelm"], &["MSK007"]),
    (LLAMA, &["v1/phi_count", "mistral/phi_count"], &["MSK003", "MSK007"]),
    (LLAMA, &["mpt/dispatch"], &["MSK003", "MSK005"]),
    (
        NOT_LEGACY,
        &["v1/dispatch", "v1/v1", "v1/openchat", "mistral/dispatch", "minicpm/dispatch", "v1_mmtag/dispatch"],
        &["MSK020"],
    ),
    (NOT_LEGACY, &["v1/phi"], &["MSK003", "MSK020"]),
    (NOT_LEGACY, &["v1/llava_v1"], &[]),
    // Newer LLaVA's correction asks for `legacy`, which these classes do not have.
    (
        &["gemma3.", "llama2_fast.", "mistral_v01.fast.tf4.37"],
        &["v1/llava_v1", "mistral/llava_v1"],
        &["MSK021"],
    ),
    (LLAMA, &["v1/llava_v1", "mistral/llava_v1"], &[]),
    // Templates and rules of tokenizers without bos: bos is counted twice and `<|endoftext|>` is no token here.
    (LLAMA, &["phi/dispatch", "qwen/dispatch", "stablelm/dispatch"], &["MSK003", "MSK005"]),
    (NOT_LEGACY, &["phi/dispatch", "qwen/dispatch", "stablelm/dispatch"], &["MSK003", "MSK005"]),
    (LLAMA, &["openchat/dispatch"], &["MSK005"]),
    (NOT_LEGACY, &["openchat/dispatch"], &["MSK005"]),
    // A join and a count add up: each is named.
    (NOT_LEGACY, &["v1/doc_qwen_phi"], &["MSK003", "MSK020"]),
    (NOT_LEGACY, &["v1/doc_stablelm", "v1/phi_count"], &["MSK003", "MSK007", "MSK020"]),
    (NOT_LEGACY, &["llama_2/dispatch", "llava_llama_2/dispatch"], &[]),
    (NOT_LEGACY, &["mpt/dispatch"], &["MSK003", "MSK005"]),
    // Newer LLaVA's mpt: it takes the tokenizer to be of one kind and legacy.
    (LLAMA, &["mpt/llava_mpt"], &["MSK005", "MSK025"]),
    (NOT_LEGACY, &["mpt/llava_mpt"], &["MSK005", "MSK025"]),
    (&["phi2.", "gpt2."], &["mpt/llava_mpt"], &["MSK005", "MSK029"]),
    (NO_BOS, &["mpt/llava_mpt"], &["MSK029"]),
    // Findings 13 and 14: 4.31's slow classes eat whitespace beside special tokens, on top of the rule's own fault.
    (EATS, &["mistral/phi", "mistral/doc_qwen_phi"], &["MSK003", "MSK026"]),
    (EATS, &["mistral/phi_count"], &["MSK003", "MSK007", "MSK026"]),
    (EATS, &["mistral/doc_stablelm"], &["MSK007", "MSK026"]),
    (EATS, &["mpt/dispatch"], &["MSK003", "MSK005"]),
    (
        EATS,
        &[
            "llama_2/dispatch",
            "v1/dispatch",
            "mistral/dispatch",
            "mistral/v1",
            "mistral/openchat",
            "mistral/llava_v1",
        ],
        &["MSK026"],
    ),
    // The count of a separator that is no token of theirs.
    (&["deepseek_v3.fast.tf4.37.0.none"], &["v1/phi_count"], &["MSK003", "MSK005", "MSK007"]),
    (
        &["llama3.fast.tf4.37.0.pad_eos", "llama3.fast.tf5.23.0.pad_eos"],
        &["v1/phi_count"],
        &["MSK005", "MSK007"],
    ),
    // Catalogue 5: `</s>` on tokenizers that do not have it.
    (&["deepseek_v3.fast.tf4.37.0.none"], &["v1/dispatch", "v1/v1"], &["MSK005"]),
    (
        &["llama3.fast.tf4.37.0.pad_eos", "llama3.fast.tf5.23.0.pad_eos"],
        &["v1/dispatch", "v1/v1"],
        &["MSK004", "MSK005"],
    ),
];

const COUNTING: &[&str] = &[
    "phi/dispatch",
    "phi/phi",
    "phi/v1",
    "phi/phi_count",
    "phi/openchat",
    "qwen/dispatch",
    "qwen/phi",
    "qwen/v1",
    "qwen/phi_count",
    "stablelm/dispatch",
    "stablelm/v1",
    "stablelm/phi_count",
    "v1/dispatch",
    "v1/v1",
    "v1/phi",
    "v1/phi_count",
    "mpt/dispatch",
    "llama_2/dispatch",
    "phi/doc_qwen_phi",
    "phi/doc_stablelm",
    "phi/llava_v1",
    "qwen/doc_qwen_phi",
    "qwen/doc_stablelm",
    "qwen/llava_v1",
    "qwen/openchat",
    "v1/doc_qwen_phi",
    "v1/doc_stablelm",
    "v1/llava_v1",
    "v1/openchat",
];

/// Rules without a count of rounds.
const NOT_COUNTING: &[&str] = &["llava_v0/dispatch", "plain/dispatch", "v0_mmtag/dispatch"];

/// Slow classes of 4.31 that eat whitespace beside special tokens.
const EATS: &[&str] = &["mistral_v01.slow.tf4.31.0.train"];

const PAD_NONE: &[&str] = &[
    "phi2.fast.tf4.37.0.none",
    "phi2.fast.tf5.23.0.none",
    "phi2.slow.tf4.31.0.none",
    "phi2.slow.tf4.37.0.none",
    "qwen_v1.QWen.tf4.31.0.none",
    "qwen_v1.QWen.tf4.37.0.none",
    "qwen_v1.QWen.tf5.23.0.none",
    "qwen_v1.QWen.tf4.31.0.pad_only",
    "qwen_v1.QWen.tf4.37.0.pad_only",
    "qwen_v1.QWen.tf5.23.0.pad_only",
    "arcade100k.Arcade.tf4.31.0.pad_only",
    "arcade100k.Arcade.tf4.37.0.pad_only",
    "arcade100k.Arcade.tf5.23.0.pad_only",
    "deepseek_v3.fast.tf4.37.0.train",
    "deepseek_v3.fast.tf5.23.0.train",
    "llama2_fast.fast.tf4.37.0.none",
    "llama3.fast.tf4.37.0.none",
    "llama3.fast.tf4.37.0.train",
    "llama3.fast.tf5.23.0.train",
    "qwen3.fast.tf5.23.0.pad_only",
    "qwen3.fast.tf5.23.0.train",
];

const PAD_EOS: &[&str] = &[
    "phi2.fast.tf4.37.0.pad_only",
    "phi2.fast.tf5.23.0.pad_only",
    "phi2.slow.tf4.31.0.pad_only",
    "phi2.slow.tf4.37.0.pad_only",
    "gpt2.",
    "arcade100k.Arcade.tf4.31.0.none",
    "arcade100k.Arcade.tf4.37.0.none",
    "arcade100k.Arcade.tf5.23.0.none",
    "qwen3.fast.tf5.23.0.none",
];

const NO_BOS: &[&str] = &[
    "phi2.fast.tf4.31.0.train",
    "phi2.fast.tf4.37.0.train",
    "phi2.fast.tf5.23.0.train",
    "phi2.slow.tf4.37.0.train",
    "arcade100k.Arcade.tf4.31.0.train",
    "arcade100k.Arcade.tf4.37.0.train",
    "arcade100k.Arcade.tf5.23.0.train",
    "qwen_v1.QWen.tf4.31.0.train",
    "qwen_v1.QWen.tf4.37.0.train",
    "qwen_v1.QWen.tf5.23.0.train",
    "qwen3_unkextra0.",
    "gpt2.",
];

const LLAMA: &[&str] = &[
    "llama2.",
    "llama2_fast.fast.tf4.31.0.train",
    "llama2_fast.fast.tf4.37.0.train",
    "mistral_v01.fast.",
    "mistral_v01.slow.tf4.37.0",
    "vicuna_v15_legacyT.",
    "vicuna_v15_legacyF.slow.tf4.31.0",
    "gemma3.",
];

const NOT_LEGACY: &[&str] = &["vicuna_v15_legacyF.slow.tf4.37.0", "vicuna_v15.fast.tf5.23.0"];

/// The causes that the table names for `FILE template/rule`; `None` where it says nothing.
pub fn expected(file: &str, pair: &str) -> Option<&'static [&'static str]> {
    let fits = |row: &&(&[&str], &[&str], &[&str])| {
        row.0.iter().any(|p| file.starts_with(p)) && row.1.contains(&pair)
    };
    TABLE.iter().find(fits).map(|row| row.2)
}
