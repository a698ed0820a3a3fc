//! Which class `AutoTokenizer` of 5.x takes. The one that the files name is not the last word: the model's kind, from
//! config.json, is looked up in a list of the release, and for many kinds that list says to take `tokenizer.json` as it is.

/// Takes a `tokenizer.json` as it is, in the name that releases before 5 had for that.
pub(in crate::tokenizer) const AS_IT_IS: &str = "PreTrainedTokenizerFast";

/// Kinds of models registered without a class of their own; what their files name is not asked.
const AS_THEY_ARE: &[&str] = &[
    "arctic",
    "aria",
    "bigbird_pegasus",
    "camembertv2-base",
    "chatlm",
    "cohere_asr",
    "ernie4_5",
    "ernie4_5_moe",
    "flex_olmo",
    "fuyu",
    "glm",
    "glm4",
    "glm4_moe",
    "glm4_moe_lite",
    "glm4v",
    "glm4v_moe",
    "glm_image",
    "glmasr",
    "got_ocr2",
    "gpt_bigcode",
    "granite",
    "granitemoe",
    "granitemoehybrid",
    "granitemoeshared",
    "h2ovl_chat",
    "hyperclovax",
    "hyperclovax_vlm",
    "internlm2",
    "internlm3",
    "iquestcoder",
    "jamba",
    "kimi_k25",
    "kimi_linear",
    "kosmos-2",
    "llava",
    "llava_next",
    "mimo_v2_flash",
    "minicpm3",
    "minicpmv",
    "minimax_m2",
    "ministral",
    "ministral3",
    "mistral",
    "mistral3",
    "mixtral",
    "modernbert",
    "modernbert-decoder",
    "molmo",
    "molmo2",
    "nemotron",
    "nvfp4",
    "nystromformer",
    "olmo2",
    "olmo3",
    "olmo_hybrid",
    "opencua",
    "openvla",
    "paddleocr_vl",
    "pegasus_x",
    "persimmon",
    "phi3",
    "phi3_v",
    "phimoe",
    "pix2struct",
    "pixtral",
    "smolvlm",
    "stablelm",
    "step3_vl",
    "umt5",
    "vipllava",
    "voxtral",
    "xlm-roberta-xl",
];

/// Kinds whose registered class is one that is known here, for folders that name none.
const REGISTERED: &[(&str, &[&str])] = &[
    ("BertTokenizer", &["bert", "distilbert", "electra", "megatron-bert", "layoutlm", "nomic_bert"]),
    ("CodeLlamaTokenizer", &["code_llama"]),
    ("CohereTokenizer", &["aya_vision", "cohere", "cohere2"]),
    (
        "GPT2Tokenizer",
        &["blip-2", "codegen", "dbrx", "gpt2", "gpt_neo", "gptj", "instructblip", "opt", "phi", "starcoder2"],
    ),
    ("GPTNeoXTokenizer", &["falcon_mamba", "gpt_neox", "mamba", "mamba2", "mpt", "olmo", "olmoe", "rwkv"]),
    ("GemmaTokenizer", &["gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "recurrent_gemma"]),
    ("LEDTokenizer", &["led"]),
    ("LlamaTokenizer", &["idefics", "idefics2"]),
    ("MobileBertTokenizer", &["mobilebert"]),
    ("MvpTokenizer", &["mvp"]),
    (
        QWEN2,
        &[
            "internvl",
            "qwen2",
            "qwen2_5_vl",
            "qwen2_audio",
            "qwen2_moe",
            "qwen2_vl",
            "qwen3",
            "qwen3_moe",
            "qwen3_next",
            "qwen3_vl",
        ],
    ),
    ("RobertaTokenizer", &["bart", "longformer", "roberta"]),
    ("T5Tokenizer", &["mt5", "switch_transformers", "t5"]),
    ("XLMRobertaTokenizer", &["gte", "xlm-roberta"]),
];

const QWEN2: &str = "Qwen2Tokenizer";

/// The class for what the files name and the model's kind.
pub(in crate::tokenizer) fn class_of(named: Option<&str>, model_type: &str) -> String {
    let class = match named {
        Some(_) if AS_THEY_ARE.contains(&model_type) => AS_IT_IS,
        // Of this kind so many folders name another class that the release does not believe them.
        Some(_) if model_type == "qwen2" => QWEN2,
        Some(named) => named,
        None => {
            let found = REGISTERED.iter().find(|(_, kinds)| kinds.contains(&model_type));
            found.map_or(AS_IT_IS, |(class, _)| *class)
        }
    };
    class.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_model_is_asked_before_the_files() {
        let cases = [
            (Some("LlamaTokenizer"), "llama", "LlamaTokenizer"),
            (Some("LlamaTokenizer"), "mistral", AS_IT_IS),
            (Some("LlamaTokenizerFast"), "llava", AS_IT_IS),
            (Some("LlamaTokenizerFast"), "qwen2", QWEN2),
            (Some("CodeGenTokenizer"), "phi", "CodeGenTokenizer"),
            (None, "phi", "GPT2Tokenizer"),
            (None, "llama", AS_IT_IS),
            (Some("LlamaTokenizer"), "llava_llama", "LlamaTokenizer"),
        ];
        for (named, model_type, expected) in cases {
            assert_eq!(class_of(named, model_type), expected, "{named:?} {model_type}");
        }
    }
}
