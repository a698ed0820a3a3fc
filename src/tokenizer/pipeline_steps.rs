//! The first two steps of a pipeline, normalizing and cutting into words, run within bounds.
//!
//! Both do what the steps of `tokenizers` do, in the same order. Between steps the deadline is asked for and the text's
//! length is looked at, and patterns are searched as [`BoundedPattern`]. The library drops the errors of a normalizer, so they
//! are kept here as well ([`take_refusal`]).

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use tokenizers::pattern::Invert;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::utils::SysRegex;
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
    SplitDelimiterBehavior,
};

use super::pattern::{BoundedPattern, bound_searches, literal, too_long};
use crate::guard;

/// How long a text may become in bytes: so much, and so many times what it was. No character becomes more than eleven
/// times its bytes by Unicode's own rules.
const GROWN: usize = 1 << 20;
const TIMES: usize = 16;

thread_local! {
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a normalizer refused since the last call, on this thread.
pub fn take_refusal() -> Option<String> {
    REFUSAL.with(|refusal| refusal.borrow_mut().take())
}

fn refuse(message: String) -> tokenizers::Error {
    REFUSAL.with(|refusal| refusal.borrow_mut().get_or_insert_with(|| message.clone()).len());
    message.into()
}

/// A normalizer of the library, its sequences flattened.
#[derive(Debug, Clone)]
pub struct NormalizerStep {
    whole: NormalizerWrapper,
    steps: Arc<[Step]>,
}

#[derive(Debug)]
enum Step {
    Library(NormalizerWrapper),
    Replace { regex: SysRegex, content: String },
}

impl From<NormalizerWrapper> for NormalizerStep {
    fn from(whole: NormalizerWrapper) -> Self {
        bound_searches();
        let mut steps = Vec::new();
        flatten(&whole, &mut steps);
        Self { whole, steps: steps.into() }
    }
}

fn flatten(normalizer: &NormalizerWrapper, steps: &mut Vec<Step>) {
    if let NormalizerWrapper::Sequence(sequence) = normalizer {
        sequence.as_ref().iter().for_each(|inner| flatten(inner, steps));
        return;
    }
    let replace = match normalizer {
        NormalizerWrapper::Replace(replace) => {
            serde_json::to_value(replace).ok().and_then(|json| replacing(&json))
        }
        _ => None,
    };
    steps.push(replace.unwrap_or_else(|| Step::Library(normalizer.clone())));
}

/// The library keeps the pattern to itself, but writes it.
fn replacing(json: &Value) -> Option<Step> {
    let pattern = json.get("pattern")?;
    let text = |key: &str| pattern.get(key).and_then(Value::as_str);
    let pattern = text("Regex").map(str::to_string).or_else(|| text("String").map(literal))?;
    let content = json.get("content")?.as_str()?.to_string();
    Some(Step::Replace { regex: SysRegex::new(&pattern).ok()?, content })
}

impl Serialize for NormalizerStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.whole.serialize(serializer)
    }
}

impl Normalizer for NormalizerStep {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        let most = GROWN + TIMES * text.get().len();
        for step in self.steps.iter() {
            let done = match step {
                Step::Library(normalizer) => normalizer.normalize(text),
                Step::Replace { regex, content } => {
                    text.replace(BoundedPattern::replacing(regex, content.len(), most), content)
                }
            };
            done.map_err(|e| refuse(e.to_string()))?;
            let len = text.get().len();
            if len > most {
                return Err(refuse(too_long(len, most)));
            }
        }
        Ok(())
    }
}

/// How a pipeline cuts a text into words.
#[derive(Debug, Clone)]
pub enum WordStep {
    /// As the library does it today.
    Today(PreTokenizerWrapper),
    /// `prepend_scheme: first` as the library of transformers 4.37 took it: the first stretch between added tokens gets
    /// the dummy space. (Today it is the one at the very beginning of the text, if there is one.)
    FirstStretch(Metaspace),
}

impl WordStep {
    /// The step as the library does it today.
    pub fn today(step: PreTokenizerWrapper) -> Self {
        bound_searches();
        Self::Today(step)
    }
}

impl PreTokenizer for WordStep {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Self::Today(step) => cut_into_words(step, text),
            Self::FirstStretch(metaspace) => prefix_first_stretch(metaspace, text),
        }
    }
}

fn cut_into_words(step: &PreTokenizerWrapper, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
    match step {
        PreTokenizerWrapper::Sequence(steps) => {
            steps.as_ref().iter().try_for_each(|step| cut_into_words(step, text))
        }
        PreTokenizerWrapper::Split(split) => {
            let pattern = BoundedPattern::new(&split.regex);
            match split.invert {
                true => text.split(|_, stretch| stretch.split(Invert(pattern), split.behavior)),
                false => text.split(|_, stretch| stretch.split(pattern, split.behavior)),
            }
        }
        step => {
            guard::check().map_err(|e| format!("cutting it into words: {e}"))?;
            step.pre_tokenize(text)
        }
    }
}

fn prefix_first_stretch(metaspace: &Metaspace, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
    let space = metaspace.get_replacement();
    let mut is_first = true;
    text.split(|_, mut stretch| {
        stretch.replace(' ', &space.to_string())?;
        if std::mem::take(&mut is_first) && !stretch.get().starts_with(space) {
            stretch.prepend(&space.to_string());
        }
        stretch.split(space, SplitDelimiterBehavior::MergedWithNext)
    })
}

impl Serialize for WordStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Today(step) => step.serialize(serializer),
            Self::FirstStretch(metaspace) => metaspace.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalized(json: Value, text: &str) -> (String, Option<String>) {
        let step: NormalizerWrapper = serde_json::from_value(json).expect("a normalizer");
        let mut normalized = NormalizedString::from(text);
        // The library drops the error; the refusal is what counts.
        let _ = NormalizerStep::from(step).normalize(&mut normalized);
        (normalized.get().to_string(), take_refusal())
    }

    #[test]
    fn steps_give_what_those_of_the_library_give() {
        let steps = json!({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            {"type": "Replace", "pattern": {"Regex": "b+"}, "content": "c"}]});
        let library: NormalizerWrapper = serde_json::from_value(steps.clone()).expect("a normalizer");
        let mut expected = NormalizedString::from("a bb  b");
        library.normalize(&mut expected).expect("normalized");
        assert_eq!(normalized(steps, "a bb  b"), (expected.get().to_string(), None));
    }

    #[test]
    fn a_text_that_grows_too_much_is_refused() {
        let step = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"});
        let (text, refusal) = normalized(json!({"type": "Sequence", "normalizers": vec![step; 8]}), "a");
        assert!(text.len() <= 1_000_000 && refusal.expect("refused").contains("grow"));
        assert_eq!(take_refusal(), None);
    }
}
