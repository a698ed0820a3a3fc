//! CodeLlama's infilling: a text with `<FILL_ME>` in it becomes the prompt that asks the model for what belongs there.
//!
//! ```text
//! a b<FILL_ME>c d    →    ▁<PRE> ▁a ▁b ▁<SUF> c ▁d ▁<MID>
//! ```
//!
//! The class takes the text apart before anything else sees it, whether special tokens were asked for or not. The fast
//! class of 5.x stays changed after such a text (it puts a space before every stretch from then on); here every text is
//! the first.

use tokenizers::NormalizerWrapper;

use super::class::Release;
use super::config::InitArguments;
use super::convert::part;
use super::core::{Core, encode_core};
use super::encoding::Encoding;
use super::loaded::{Engine, Tokenizer};
use super::profile::SlowKind;
use super::slow::SlowState;
use super::slow::sentencepiece::behind_underline;
use crate::error::{Error, Result};

/// What a text is taken apart at, and what its parts are put between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infilling {
    pub fill: String,
    prefix: Option<String>,
    suffix: Option<String>,
    middle: Option<String>,
}

impl Infilling {
    /// The tokens that the configuration names; `None` for other classes, and where it has taken the fill token away.
    pub fn of(class: Option<SlowKind>, arguments: &InitArguments, release: Release) -> Option<Self> {
        if class != Some(SlowKind::CodeLlama) {
            return None;
        }
        let token = |name, default| arguments.infilling_token(name, default, release);
        Some(Self {
            fill: token("fill", "<FILL_ME>")?,
            prefix: token("prefix", "▁<PRE>"),
            suffix: token("suffix", "▁<SUF>"),
            middle: token("middle", "▁<MID>"),
        })
    }
}

/// A text around its fill token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'t> {
    text: &'t str,
    before: &'t str,
    behind: &'t str,
}

impl Tokenizer {
    /// The parts of a text with a fill token; `None` for one without, or of a class that knows none.
    ///
    /// # Errors
    /// More than one fill token, which Python refuses.
    pub(super) fn around_fill<'t>(&self, text: &'t str) -> Result<Option<Parts<'t>>> {
        let fill = self.infilling.as_ref().map(|i| i.fill.as_str()).filter(|fill| !fill.is_empty());
        let Some((fill, (before, behind))) = fill.and_then(|fill| Some((fill, text.split_once(fill)?)))
        else {
            return Ok(None);
        };
        if behind.contains(fill) {
            let message = format!("{} takes one {fill} in a text, not more", self.facts.name);
            return Err(Error::Encode(message));
        }
        Ok(Some(Parts { text, before, behind }))
    }

    /// The ids of a text with a fill token. With nothing behind it there is nothing to fill.
    pub(super) fn encode_around_fill(&self, parts: Parts<'_>, add_special_tokens: bool) -> Result<Encoding> {
        if parts.behind.is_empty() {
            return self.encode(parts.before, add_special_tokens);
        }
        let (before, behind) = match &self.engine {
            Engine::Fast(core) => {
                let core = without_dummy_space(core)?;
                let before = encode_core(&core, &format!(" {}", parts.before), false)?;
                (before.without_head(0, 1), encode_core(&core, parts.behind, false)?)
            }
            Engine::Slow(class, splitter) => {
                let state = SlowState { special: &self.special, added: &self.added, splitter };
                let tokenize = |text: &str| class.tokenize_segment(text, state);
                let before = match parts.before {
                    "" => Encoding::default(),
                    text => behind_underline(text, tokenize)?,
                };
                (before, tokenize(parts.behind)?)
            }
        };
        let [prefix, suffix, middle] = self.infilling_tokens()?;
        let behind_at = parts.text.len() - parts.behind.len();
        let mut all = Encoding::default();
        all.push_optional(self.resolve(prefix), prefix, 0..0);
        all.extend_shifted(&before, 0);
        all.push_optional(self.resolve(suffix), suffix, parts.before.len()..behind_at);
        all.extend_shifted(&behind, behind_at);
        all.push_optional(self.resolve(middle), middle, parts.text.len()..parts.text.len());
        Ok(match add_special_tokens {
            true => self.with_bos_and_eos(&all, parts.text.len(), self.facts.adds_eos),
            false => all,
        })
    }

    /// Python's offsets of a text with a fill token: those of each part count from its own beginning, and the part before
    /// has a space more.
    pub(super) fn char_offsets_around_fill(
        &self,
        core: &Core,
        parts: Parts<'_>,
        add_special_tokens: bool,
    ) -> Result<Vec<(usize, usize)>> {
        if parts.behind.is_empty() {
            return self.char_offsets(parts.before, add_special_tokens);
        }
        let core = without_dummy_space(core)?;
        let offsets = |text: &str| {
            let encoded = core.encode_char_offsets(text, false).map_err(|e| Error::Encode(e.to_string()))?;
            Ok::<_, Error>(encoded.get_offsets().to_vec())
        };
        let nothing = (0, 0);
        let mut all = vec![nothing; 1 + usize::from(add_special_tokens && self.facts.adds_bos)];
        all.extend(offsets(&format!(" {}", parts.before))?);
        all.push(nothing);
        all.extend(offsets(parts.behind)?);
        all.extend(vec![nothing; 1 + usize::from(add_special_tokens && self.facts.adds_eos)]);
        Ok(all)
    }

    fn infilling_tokens(&self) -> Result<[&str; 3]> {
        let tokens = self
            .infilling
            .as_ref()
            .and_then(|i| Some([i.prefix.as_deref()?, i.suffix.as_deref()?, i.middle.as_deref()?]));
        tokens.ok_or_else(|| {
            let message = "a fill token asks for infilling, but a prefix, suffix or middle token is missing";
            Error::Encode(message.to_string())
        })
    }
}

/// The pipeline as the class sets it for infilling: it makes spaces visible and adds none.
fn without_dummy_space(core: &Core) -> Result<Core> {
    let mut core = core.clone();
    let spaces = serde_json::json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    core.with_normalizer(part::<NormalizerWrapper>(spaces)?).map_err(|e| Error::Encode(e.to_string()))?;
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{CachedEncoder, FileSet, LoadOptions, Loader, Uncertain, WordCache, load};

    fn code_llama(loader: Loader) -> Tokenizer {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/small/tokenizers/code_llama");
        let files = FileSet::folder(folder.as_ref()).expect("a folder");
        let options = LoadOptions { loader: Some(loader), release: Release::V4_37, ..LoadOptions::default() };
        load("code_llama", &files, options).expect("loads")
    }

    #[test]
    fn spans_are_those_of_the_whole_text_and_the_suffix_token_stands_for_the_fill_token() {
        let text = "a <FILL_ME>é c";
        for loader in [Loader::Slow, Loader::Fast] {
            let encoding = code_llama(loader).encode(text, true).expect("encodes");
            let spans: Vec<_> = encoding.spans.iter().map(|span| &text[span.clone()]).collect();
            assert_eq!(spans, ["", "", "a", " ", "<FILL_ME>", "é", " c", ""], "{loader:?}");
        }
    }

    #[test]
    fn two_fill_tokens_are_refused() {
        let error = code_llama(Loader::Fast).encode("a<FILL_ME>b<FILL_ME>", false).expect_err("two");
        assert!(error.to_string().contains("takes one <FILL_ME>"), "{error}");
    }

    /// A scan encodes word by word, which a fill token makes wrong.
    #[test]
    fn a_scan_leaves_such_texts_to_the_tokenizer() {
        let tokenizer = std::sync::Arc::new(code_llama(Loader::Fast));
        let Ok(quick) = CachedEncoder::new(&tokenizer) else { panic!("the fast class has joints") };
        let encode = |text: &str| quick.encode(&mut WordCache::default(), text, false, &mut Vec::new());
        assert_eq!(encode("a b <FILL_ME> c"), Err(Uncertain));
        assert_eq!(encode("a b c"), Ok(()));
    }
}
