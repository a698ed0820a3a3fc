//! Why a token is what it is: the stretch of text that it was cut from, and the steps of the model there.
//!
//! An [`Explainer`] is built once for a tokenizer (it lists the merges, which takes a moment for a large
//! vocabulary) and then asked for one token at a time.

use std::collections::HashMap;
use std::ops::Range;

use tokenizers::models::ModelWrapper;
use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::core::Core;
use super::encoding::{Encoding, Piece, TokenId};
use super::loaded::{Engine, Tokenizer};
use super::slow::WordCutter;
use super::slow::processor::Processor;
use crate::error::{Error, Result};

/// One merge of byte-pair encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeStep {
    pub left: String,
    pub right: String,
    /// Position in the list of merges, from 0, best first; `None` for SentencePiece, which has scores instead.
    pub rank: Option<usize>,
    /// Score of the joined piece (SentencePiece).
    pub score: Option<f32>,
}

/// How the model came to a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Steps {
    /// Found as a whole in the text, before anything was cut.
    AddedToken,
    /// Put there by the tokenizer (bos, eos).
    Inserted,
    /// The merges that made the token, in the order in which they happened.
    Merges(Vec<MergeStep>),
    /// The pre-token itself is an entry of the vocabulary and was taken whole.
    WholeWord,
    /// The pieces of the pre-token with their scores (log probabilities); the cut with the best sum won.
    Unigram(Vec<(String, f64)>),
    /// The pieces of the pre-token, each the longest that fits.
    WordPiece(Vec<String>),
}

/// The explanation of one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub id: TokenId,
    /// Bytes of the text that the pre-token covers (that of the token itself where nothing is pre-cut).
    pub pre_token: Range<usize>,
    pub steps: Steps,
}

/// Answers for the tokens of one tokenizer.
#[derive(Debug)]
pub struct Explainer<'t> {
    tokenizer: &'t Tokenizer,
    ranks: HashMap<(String, String), usize>,
    ignore_merges: bool,
}

/// What cuts the text: see [`WordCutter`].
fn cutter(tokenizer: &Tokenizer) -> WordCutter<'_> {
    match &tokenizer.engine {
        Engine::Fast(core) => WordCutter::Pipeline(core),
        Engine::Slow(class, _) => class.cutter(),
    }
}

impl<'t> Explainer<'t> {
    /// An explainer for this tokenizer.
    pub fn new(tokenizer: &'t Tokenizer) -> Result<Self> {
        let mut explainer = Self { tokenizer, ranks: HashMap::new(), ignore_merges: false };
        if let WordCutter::Pipeline(core) = cutter(tokenizer)
            && let ModelWrapper::BPE(bpe) = core.get_model().wrapper()
        {
            explainer.ignore_merges = bpe.ignore_merges;
            let json = serde_json::to_value(bpe).map_err(|e| Error::Encode(e.to_string()))?;
            let merges = json.get("merges").and_then(|m| m.as_array());
            for (rank, pair) in merges.into_iter().flatten().enumerate() {
                let part = |at: usize| Some(pair.get(at)?.as_str()?.to_string());
                if let (Some(left), Some(right)) = (part(0), part(1)) {
                    explainer.ranks.insert((left, right), rank);
                }
            }
        }
        Ok(explainer)
    }

    /// Why token `index` of the encoding of `text` is there; `None` beyond the end.
    pub fn explain(&self, text: &str, encoding: &Encoding, index: usize) -> Result<Option<Explanation>> {
        let (Some(id), Some(span)) = (encoding.ids.get(index).copied(), encoding.spans.get(index).cloned())
        else {
            return Ok(None);
        };
        let explained =
            |pre_token: Range<usize>, steps: Steps| Ok(Some(Explanation { id, pre_token, steps }));
        if self.tokenizer.added.get(id).is_some() || self.tokenizer.roles_of(id).next().is_some() {
            let steps = if span.is_empty() { Steps::Inserted } else { Steps::AddedToken };
            return explained(span, steps);
        }
        match cutter(self.tokenizer) {
            WordCutter::SentencePiece(processor) => {
                let piece = token_text(self.tokenizer, id).unwrap_or_default();
                explained(span, sentencepiece_steps(processor, &piece))
            }
            WordCutter::Pipeline(core) => {
                let (pre_token, word) = pre_token_at(core, text, &span)?.unwrap_or((span, String::new()));
                explained(pre_token, self.pipeline_steps(core, id, &word)?)
            }
        }
    }

    fn pipeline_steps(&self, core: &Core, id: TokenId, word: &str) -> Result<Steps> {
        let model = core.get_model();
        let token = model.id_to_token(id).unwrap_or_default();
        Ok(match model.wrapper() {
            ModelWrapper::BPE(_) if self.ignore_merges && token == word => Steps::WholeWord,
            ModelWrapper::BPE(_) => Steps::Merges(self.merges_of(&token)),
            ModelWrapper::Unigram(unigram) => {
                let scores: HashMap<u32, f64> =
                    (0..).zip(unigram.iter()).map(|(i, (_, s))| (i, *s)).collect();
                let pieces = model.tokenize(word).map_err(|e| Error::Encode(e.to_string()))?;
                let scored = |t: tokenizers::Token| (t.value, scores.get(&t.id).copied().unwrap_or(0.0));
                Steps::Unigram(pieces.into_iter().map(scored).collect())
            }
            ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => {
                let pieces = model.tokenize(word).map_err(|e| Error::Encode(e.to_string()))?;
                Steps::WordPiece(pieces.into_iter().map(|t| t.value).collect())
            }
        })
    }

    /// The merges that make a token out of its characters: again and again the pair of the best rank.
    fn merges_of(&self, token: &str) -> Vec<MergeStep> {
        let mut symbols: Vec<String> = token.chars().map(String::from).collect();
        let mut steps = Vec::new();
        loop {
            let ranked = symbols.windows(2).enumerate().filter_map(|(at, pair)| match pair {
                [l, r] => self.ranks.get(&(l.clone(), r.clone())).map(|rank| (*rank, at)),
                _ => None,
            });
            let Some((rank, at)) = ranked.min() else { return steps };
            let right = symbols.remove(at + 1);
            let Some(left) = symbols.get_mut(at) else { return steps };
            let joined = format!("{left}{right}");
            steps.push(MergeStep {
                left: std::mem::replace(left, joined),
                right,
                rank: Some(rank),
                score: None,
            });
        }
    }
}

/// The piece is named by its text, as a class may number the pieces of the model in its own way.
fn sentencepiece_steps(processor: &Processor, piece: &str) -> Steps {
    if !processor.is_bpe() {
        let score = processor.id_of(piece).and_then(|id| processor.score(id)).unwrap_or(0.0);
        return Steps::Unigram(vec![(piece.to_string(), f64::from(score))]);
    }
    let steps = processor.merges_of(piece).into_iter();
    Steps::Merges(
        steps.map(|(left, right, s)| MergeStep { left, right, rank: None, score: Some(s) }).collect(),
    )
}

/// The pre-token of a pipeline that covers a span of the text: its bytes in the text, and the text as the model
/// sees it.
fn pre_token_at(core: &Core, text: &str, span: &Range<usize>) -> Result<Option<(Range<usize>, String)>> {
    let mut cut: PreTokenizedString =
        core.get_added_vocabulary().extract_and_normalize(core.get_normalizer(), text);
    if let Some(pre_tokenizer) = core.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut cut).map_err(|e| Error::Encode(e.to_string()))?;
    }
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    let covers = |start: usize, end: usize| start <= span.start && span.end <= end && start < end;
    let found = splits.into_iter().find(|(_, (start, end), _)| covers(*start, *end));
    Ok(found.map(|(word, (start, end), _)| (start..end, word.to_string())))
}

/// A token's vocabulary string, for those who show explanations.
pub fn token_text(tokenizer: &Tokenizer, id: TokenId) -> Option<String> {
    match tokenizer.piece(id)? {
        Piece::Text(text) => Some(text),
        Piece::Bytes(bytes) => Some(super::byte_alphabet::encode(&bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{FileSet, LoadOptions, load};

    fn byte_level() -> Tokenizer {
        let files: &'static [(&str, &[u8])] = &[
            ("vocab.json", br#"{"a":0,"b":1,"c":2,"ab":3,"abc":4,"<|endoftext|>":5}"#),
            ("merges.txt", b"a b\nab c\n"),
        ];
        load("tiny", &FileSet::embedded("tiny", files), LoadOptions::default()).expect("loads")
    }

    #[test]
    fn merges_come_in_their_order_with_their_ranks() {
        let tokenizer = byte_level();
        let encoding = tokenizer.encode("abc<|endoftext|>", false).expect("encodes");
        assert_eq!(encoding.ids, [4, 5]);
        let explainer = Explainer::new(&tokenizer).expect("builds");
        let first = explainer.explain("abc<|endoftext|>", &encoding, 0).expect("explains").expect("is there");
        let step = |l: &str, r: &str, rank| MergeStep {
            left: l.to_string(),
            right: r.to_string(),
            rank: Some(rank),
            score: None,
        };
        assert_eq!(first.steps, Steps::Merges(vec![step("a", "b", 0), step("ab", "c", 1)]));
        assert_eq!(first.pre_token, 0..3);
        let second =
            explainer.explain("abc<|endoftext|>", &encoding, 1).expect("explains").expect("is there");
        assert_eq!(second.steps, Steps::AddedToken);
        assert_eq!(explainer.explain("abc<|endoftext|>", &encoding, 2).expect("explains"), None);
    }
}
