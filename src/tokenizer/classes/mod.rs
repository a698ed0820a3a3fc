//! The Python classes by name, one file a class. To add one: a file like `bloom.rs`, and a line in [`CLASSES`].
//!
//! Source: the behaviour of transformers 4.31.0, 4.37.0 and 5.23.0, checked against the goldens and against records of
//! `tests/scripts/record_tokenizers.py`.

mod arcade100k;
mod bert;
mod bloom;
mod class_input;
mod code_llama;
mod codegen;
mod cohere;
mod gemma;
mod generic;
mod gpt2;
mod gpt_neox;
mod llama;
mod python_class;
mod qwen;
mod qwen2;
mod roberta;
mod sentencepiece_v5;
mod t5;
mod unigram_v5;
mod v5_class;
mod xlm_roberta;

pub use class_input::ClassInput;
pub use python_class::{BuildSlow, PythonClass};
pub use v5_class::{BACKEND, PostProcessorSource};

use super::files::FileSet;

/// Every class. Where files fit several classes (see [`PythonClass::fits`]), the first one is taken.
static CLASSES: &[&PythonClass] = &[
    &gpt2::GPT2,
    &codegen::CODEGEN,
    &gpt_neox::GPT_NEOX,
    &bloom::BLOOM,
    &cohere::COHERE,
    &roberta::ROBERTA,
    &roberta::BART,
    &roberta::LONGFORMER,
    &roberta::LED,
    &roberta::MVP,
    &llama::LLAMA,
    &code_llama::CODE_LLAMA,
    &t5::T5,
    &qwen2::QWEN2,
    &gemma::GEMMA,
    &xlm_roberta::XLM_ROBERTA,
    &bert::BERT,
    &bert::DISTILBERT,
    &bert::ELECTRA,
    &bert::MOBILEBERT,
    &arcade100k::ARCADE100K,
    &qwen::QWEN,
    &generic::GENERIC,
];

/// The name of the generic class in 4.x and in the lists of 5.x: `tokenizer.json` as it is.
pub const GENERIC_FAST: &str = "PreTrainedTokenizerFast";

/// The class of a name, with or without `Fast`; the generic one for a name that is not known.
pub fn class(name: &str) -> &'static PythonClass {
    find(name).unwrap_or(&generic::GENERIC)
}

/// The class of a name, with or without `Fast`.
pub fn find(name: &str) -> Option<&'static PythonClass> {
    let base = base(name);
    CLASSES.iter().find(|class| class.name == base || class.aliases.contains(&base)).copied()
}

/// The name under which Python prints a class, without `Fast`.
pub fn python_name(name: &str) -> &str {
    find(name).map_or(base(name), |class| class.name)
}

/// A class name without `Fast`.
pub fn base(name: &str) -> &str {
    name.strip_suffix("Fast").unwrap_or(name)
}

/// The name of the class that 4.x takes for the `model_type` of a config.json.
pub fn of_model_type(model_type: &str) -> Option<String> {
    let class = CLASSES.iter().find(|class| class.model_types.contains(&model_type))?;
    let ending = if class.slow_files.is_empty() { "Fast" } else { "" };
    Some(format!("{}{ending}", class.name))
}

/// The name of the class that a set of files fits, where nothing names one.
pub fn of_files(files: &FileSet) -> &'static str {
    CLASSES.iter().find(|class| (class.fits)(files)).map_or(GENERIC_FAST, |class| class.name)
}

/// Which class `AutoTokenizer` of 5.x takes for the one that the files name and the `model_type` of config.json. The
/// files do not have the last word: many kinds of models are registered without a class, some with one that is taken
/// over any other.
pub fn v5_of_model_type(named: Option<&str>, model_type: &str) -> String {
    let registered = |kinds: fn(&PythonClass) -> &'static [&'static str]| {
        CLASSES.iter().find(|class| kinds(class).contains(&model_type)).map(|class| class.name)
    };
    let class = match named {
        Some(_) if generic::GENERIC.v5.model_types.contains(&model_type) => GENERIC_FAST,
        Some(named) => registered(|class| class.v5.forced_model_types).unwrap_or(named),
        None => match registered(|class| class.v5.model_types) {
            Some(name) if name != generic::GENERIC.name => name,
            _ => GENERIC_FAST,
        },
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
            (Some("LlamaTokenizer"), "mistral", GENERIC_FAST),
            (Some("LlamaTokenizerFast"), "llava", GENERIC_FAST),
            (Some("LlamaTokenizerFast"), "qwen2", "Qwen2Tokenizer"),
            (Some("CodeGenTokenizer"), "phi", "CodeGenTokenizer"),
            (None, "phi", "GPT2Tokenizer"),
            (None, "llama", GENERIC_FAST),
            (Some("LlamaTokenizer"), "llava_llama", "LlamaTokenizer"),
        ];
        for (named, model_type, expected) in cases {
            assert_eq!(v5_of_model_type(named, model_type), expected, "{named:?} {model_type}");
        }
    }

    #[test]
    fn a_name_and_a_model_type_belong_to_one_class() {
        let mut taken = std::collections::BTreeSet::new();
        for class in CLASSES {
            let names = class.aliases.iter().chain([&class.name]).map(|name| ("name", *name));
            let kinds = class.model_types.iter().map(|kind| ("4.x", *kind));
            let v5 = class.v5.model_types.iter().map(|kind| ("5.x", *kind));
            for entry in names.chain(kinds).chain(v5) {
                assert!(taken.insert(entry), "{entry:?} is there twice");
            }
            let loaded = class.v5.name.unwrap_or(class.name);
            assert!(find(loaded).is_some() || loaded == BACKEND, "{loaded} is no class");
        }
    }
}
