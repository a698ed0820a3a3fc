//! Texts to ids, as each class does it.

use tokenizers::NormalizerWrapper;

use super::core::{Core, encode_core, encode_ordinary, in_library};
use super::encoding::Encoding;
use super::facts::PaddingSide;
use super::infilling::{FillParts, Infilling};
use super::loaded::{Engine, Tokenizer};
use super::slow::AddedTokenTables;
use super::slow::sentencepiece::behind_underline;
use super::slow::split::Splitter;
use super::special::{AddedTokens, Role};
use super::steps::{part, visible_spaces};
use crate::error::{Error, Result};

impl Tokenizer {
    /// The ids of a text; `add_special_tokens` puts bos and eos where the class does.
    ///
    /// Spans are byte ranges of `text`.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Encoding> {
        match self.remembered.encode(self, text, add_special_tokens) {
            Some(encoding) => Ok(encoding),
            None => self.encode_whole(text, add_special_tokens),
        }
    }

    /// The same without what is remembered: the class's own way.
    pub(super) fn encode_whole(&self, text: &str, add_special_tokens: bool) -> Result<Encoding> {
        check_length(text)?;
        if let Some((infilling, parts)) = self.fill_parts(text)? {
            return self.encode_infilling(infilling, parts, add_special_tokens);
        }
        match &self.engine {
            Engine::Fast(core) => encode_core(core, text, add_special_tokens),
            Engine::Slow(class, splitter) => {
                let state = AddedTokenTables { special: &self.special, added: &self.added, splitter };
                let tokens = class.tokenize(text, state)?;
                if !add_special_tokens {
                    return Ok(tokens);
                }
                let ends = class.adds_eos_once() && tokens.ids.last().copied() == self.role_id(Role::Eos);
                Ok(self.with_bos_and_eos(&tokens, text.len(), self.facts.adds_eos && !ends))
            }
        }
    }

    /// The ids of a text in which no added token is looked for (tiktoken's `encode_ordinary`, SentencePiece).
    pub fn encode_ordinary(&self, text: &str) -> Result<Encoding> {
        check_length(text)?;
        match &self.engine {
            Engine::Fast(core) => encode_ordinary(core, text),
            Engine::Slow(class, _) => {
                let (added, splitter) = (AddedTokens::default(), Splitter::default());
                let tables = AddedTokenTables { special: &self.special, added: &added, splitter: &splitter };
                class.tokenize(text, tables)
            }
        }
    }

    /// Python's `offset_mapping` of a text: characters from and to, one pair a token.
    ///
    /// The library cuts white space off offsets after it has made characters of them, so a fast class is asked again.
    pub fn char_offsets(&self, text: &str, add_special_tokens: bool) -> Result<Vec<(usize, usize)>> {
        check_length(text)?;
        match &self.engine {
            Engine::Fast(core) => {
                if let Some((_, parts)) = self.fill_parts(text)? {
                    return self.char_offsets_of_infilling(core, parts, add_special_tokens);
                }
                let encoded = in_library(|| core.encode_char_offsets(text, add_special_tokens))?;
                Ok(encoded.get_offsets().to_vec())
            }
            Engine::Slow(..) => Ok(self.encode(text, add_special_tokens)?.char_offsets(text)),
        }
    }

    /// The ids of a text, cut so that they and the special tokens fit in `max_length`.
    pub fn encode_truncated(&self, text: &str, max_length: usize) -> Result<Encoding> {
        let whole = self.encode(text, true)?;
        let inner = self.encode(text, false)?;
        // Python makes room for eos even where the class leaves it out because the text ends with one.
        let around = match self.is_slow() {
            true => usize::from(self.facts.adds_bos) + usize::from(self.facts.adds_eos),
            false => whole.len().saturating_sub(inner.len()),
        };
        if inner.len() + around <= max_length {
            return Ok(whole);
        }
        let before = around.min(usize::from(self.facts.adds_bos));
        let keep = max_length.saturating_sub(around);
        let mut cut = whole.clone();
        cut.truncate(before);
        match self.facts.truncation_side {
            PaddingSide::Right => {
                let mut kept = inner;
                kept.truncate(keep);
                cut.extend_shifted(&kept, 0);
            }
            PaddingSide::Left => {
                cut.extend_shifted(&inner.without_head(inner.len().saturating_sub(keep), 0), 0)
            }
        }
        let once = matches!(&self.engine, Engine::Slow(class, _) if class.adds_eos_once());
        if once && cut.ids.last().copied() == self.role_id(Role::Eos) {
            return Ok(cut);
        }
        let after = whole.without_head(whole.len().saturating_sub(around - before), 0);
        cut.extend_shifted(&after, 0);
        Ok(cut)
    }

    /// `build_inputs_with_special_tokens` of the slow classes.
    fn with_bos_and_eos(&self, tokens: &Encoding, end: usize, adds_eos: bool) -> Encoding {
        let mut all = Encoding::default();
        let [first, last] = self.facts.ends;
        if self.facts.adds_bos {
            all.push_optional(self.role_id(first), "None", 0..0);
        }
        all.extend_shifted(tokens, 0);
        if adds_eos {
            all.push_optional(self.role_id(last), "None", end..end);
        }
        all
    }

    /// The parts of a text with a fill token; `None` for one without, or of a class that knows none.
    fn fill_parts<'t>(&self, text: &'t str) -> Result<Option<(&Infilling, FillParts<'t>)>> {
        let Some(infilling) = &self.infilling else { return Ok(None) };
        Ok(infilling.parts(text, &self.facts.name)?.map(|parts| (infilling, parts)))
    }

    /// The ids of a text with a fill token. With nothing behind it there is nothing to fill.
    fn encode_infilling(
        &self,
        infilling: &Infilling,
        parts: FillParts<'_>,
        add_special_tokens: bool,
    ) -> Result<Encoding> {
        if parts.behind.is_empty() {
            return self.encode_whole(parts.before, add_special_tokens);
        }
        let (before, behind) = match &self.engine {
            Engine::Fast(core) => {
                let core = without_dummy_space(core)?;
                let before = encode_core(&core, &format!(" {}", parts.before), false)?;
                (before.without_head(0, 1), encode_core(&core, parts.behind, false)?)
            }
            Engine::Slow(class, splitter) => {
                let state = AddedTokenTables { special: &self.special, added: &self.added, splitter };
                let tokenize = |text: &str| class.tokenize_segment(text, state);
                let before = match parts.before {
                    "" => Encoding::default(),
                    text => behind_underline(text, tokenize)?,
                };
                (before, tokenize(parts.behind)?)
            }
        };
        let [prefix, suffix, middle] = infilling.tokens()?;
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
    fn char_offsets_of_infilling(
        &self,
        core: &Core,
        parts: FillParts<'_>,
        add_special_tokens: bool,
    ) -> Result<Vec<(usize, usize)>> {
        if parts.behind.is_empty() {
            return self.char_offsets(parts.before, add_special_tokens);
        }
        let core = without_dummy_space(core)?;
        let offsets = |text: &str| {
            let encoded = in_library(|| core.encode_char_offsets(text, false))?;
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
}

/// Bytes of the longest text that is encoded: the library takes some hundred bytes of memory for each.
const MOST_BYTES: usize = 16 << 20;

fn check_length(text: &str) -> Result<()> {
    match text.len() > MOST_BYTES {
        true => Err(Error::Encode(format!("it has {} bytes ({MOST_BYTES} are the most)", text.len()))),
        false => Ok(()),
    }
}

/// The pipeline as the class sets it for infilling: it makes spaces visible and adds none.
fn without_dummy_space(core: &Core) -> Result<Core> {
    let mut core = core.clone();
    core.with_normalizer(part::<NormalizerWrapper>(visible_spaces())?)
        .map_err(|e| Error::Encode(e.to_string()))?;
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{
        CachedEncoder, FileSet, LoadOptions, Loader, Release, Uncertain, WordCache, load,
    };

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
        let Ok(cached) = CachedEncoder::new(&tokenizer) else { panic!("the fast class has split points") };
        let encode = |text: &str| cached.encode(&mut WordCache::default(), text, false, &mut Vec::new());
        assert_eq!(encode("a b <FILL_ME> c"), Err(Uncertain));
        assert_eq!(encode("a b c"), Ok(()));
    }
}
