//! A pipeline of the `tokenizers` crate whose model is shared by `Arc`, the other steps beside it.
//!
//! A vocabulary of 150,000 entries takes tens of milliseconds to copy, and an override on screen is applied within a
//! frame. So the model is shared between a tokenizer and its overridden copies, and only the added
//! tokens, normalizer and post-processor are copied.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokenizers::models::{ModelWrapper, TrainerWrapper};
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::{
    AddedToken, DecoderWrapper, Model, NormalizedString, Normalizer, NormalizerWrapper, OffsetType,
    PostProcessorWrapper, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, Token, TokenizerImpl,
};

use super::byte_alphabet;
use super::encoding::{Encoding, TokenId};
use super::pipeline_steps::{NormalizerStep, WordStep, take_refusal};
use crate::error::{Error, Result};
use crate::guard;

/// A `tokenizers` model that several pipelines share.
#[derive(Debug, Clone)]
pub struct SharedModel(Arc<ModelWrapper>);

impl SharedModel {
    /// The model itself, for those who need more than [`Model`] offers (merges, scores).
    pub fn wrapper(&self) -> &ModelWrapper {
        &self.0
    }

    /// True for byte-pair encoding without dropout or marks on words, so that a text always gives the same ids.
    pub fn is_plain_bpe(&self) -> bool {
        let bare = |affix: &Option<String>| affix.as_ref().is_none_or(String::is_empty);
        match &*self.0 {
            ModelWrapper::BPE(bpe) => {
                bpe.dropout.is_none_or(|p| p == 0.0)
                    && bare(&bpe.continuing_subword_prefix)
                    && bare(&bpe.end_of_word_suffix)
            }
            _ => false,
        }
    }

    /// True for byte-pair encoding.
    pub fn is_bpe(&self) -> bool {
        matches!(*self.0, ModelWrapper::BPE(_))
    }
}

impl Model for SharedModel {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        check_word(&self.0, sequence)?;
        self.0.tokenize(sequence)
    }
    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }
    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }
    fn get_vocab(&self) -> HashMap<String, u32> {
        self.0.get_vocab()
    }
    fn get_vocab_size(&self) -> usize {
        self.0.get_vocab_size()
    }
    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        self.0.save(folder, prefix)
    }
    fn get_trainer(&self) -> Self::Trainer {
        self.0.get_trainer()
    }
}

/// Longest word that is given to a model which tries every end for every beginning.
const LONGEST_WORD: usize = 2000;
/// Words shorter than this are encoded without a look at the clock.
const SHORT_WORD: usize = 64;

fn check_word(model: &ModelWrapper, word: &str) -> tokenizers::Result<()> {
    if word.len() < SHORT_WORD {
        return Ok(());
    }
    if let ModelWrapper::WordPiece(model) = model
        && word.len() > LONGEST_WORD
        && word.chars().count() <= model.max_input_chars_per_word
    {
        return Err(format!("a word of {} bytes is too long for this WordPiece model", word.len()).into());
    }
    guard::check().map_err(|e| format!("encoding its words: {e}").into())
}

/// A tokenization pipeline of the `tokenizers` crate over a shared model.
pub type Core = TokenizerImpl<SharedModel, NormalizerStep, WordStep, PostProcessorWrapper, DecoderWrapper>;

/// An added token with the id that its file gives it.
#[derive(Debug, Clone, Deserialize)]
pub struct AddedTokenWithId {
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub id: TokenId,
    #[serde(flatten)]
    pub token: AddedToken,
}

/// The parts of a pipeline before they are put together.
#[derive(Debug)]
pub struct CoreParts {
    pub added_tokens: Vec<AddedTokenWithId>,
    pub normalizer: Option<NormalizerWrapper>,
    pub pre_tokenizer: Option<PreTokenizerWrapper>,
    pub post_processor: Option<PostProcessorWrapper>,
    pub decoder: Option<DecoderWrapper>,
    pub model: ModelWrapper,
}

impl CoreParts {
    /// Parts with nothing but a model.
    pub fn bare(model: impl Into<ModelWrapper>) -> Self {
        Self {
            added_tokens: Vec::new(),
            normalizer: None,
            pre_tokenizer: None,
            post_processor: None,
            decoder: None,
            model: model.into(),
        }
    }

    /// Puts the parts together. The added tokens are *not* added: classes differ in when and how they do it.
    pub fn assemble(self) -> Result<(Core, Vec<AddedTokenWithId>)> {
        let mut core = Core::new(SharedModel(Arc::new(self.model)));
        core.with_normalizer(self.normalizer).map_err(|e| Error::Encode(e.to_string()))?;
        core.with_pre_tokenizer(self.pre_tokenizer.map(WordStep::today));
        core.with_post_processor(self.post_processor);
        core.with_decoder(self.decoder);
        Ok((core, self.added_tokens))
    }
}

/// Takes `prepend_scheme: first` for what it was in transformers 4.37.
pub fn prefix_first_stretch(core: &mut Core) {
    if let Some(WordStep::Today(PreTokenizerWrapper::Metaspace(metaspace))) = core.get_pre_tokenizer()
        && metaspace.get_prepend_scheme() == PrependScheme::First
    {
        let step = WordStep::FirstStretch(metaspace.clone());
        core.with_pre_tokenizer(Some(step));
    }
}

/// Encodes with a pipeline; spans are byte ranges of `text`.
///
/// Tokens that the pipeline added by itself have an empty span. A token that is the model's unknown token is
/// named by the text it stands for.
pub fn encode_core(core: &Core, text: &str, add_special_tokens: bool) -> Result<Encoding> {
    let encoded = in_library(|| core.encode(text, add_special_tokens))?;
    Ok(Encoding {
        ids: encoded.get_ids().to_vec(),
        spans: encoded.get_offsets().iter().map(|(start, end)| *start..*end).collect(),
        ..Encoding::default()
    })
}

/// Work of the library on a text.
///
/// # Errors
/// Its error, its panic, and what a normalizer refused: the library goes on with the text as it was then.
pub fn in_library<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    let done = guard::contain(work);
    if let Some(refusal) = take_refusal() {
        return Err(Error::Encode(refusal));
    }
    match done {
        Ok(done) => done.map_err(|e| Error::Encode(e.to_string())),
        Err(panic) => Err(Error::Encode(format!("it makes the tokenizers library fail ({panic})"))),
    }
}

/// The bytes of a vocabulary entry, read as the decoder of the pipeline would.
pub fn token_bytes(core: &Core, token: &str) -> Vec<u8> {
    fn byte_level(decoder: &DecoderWrapper) -> bool {
        match decoder {
            DecoderWrapper::ByteLevel(_) => true,
            DecoderWrapper::Sequence(s) => s.get_decoders().iter().any(byte_level),
            _ => false,
        }
    }
    if core.get_decoder().is_some_and(byte_level)
        && let Some(bytes) = byte_alphabet::decode(token)
    {
        return bytes;
    }
    match byte_alphabet::byte_piece(token) {
        Some(byte) => vec![byte],
        None => token.replace('▁', " ").into_bytes(),
    }
}

/// The ids of a text in which no added token is looked for.
pub fn encode_ordinary(core: &Core, text: &str) -> Result<Encoding> {
    let encoded = in_library(|| {
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = core.get_normalizer() {
            normalizer.normalize(&mut normalized)?;
        }
        let mut words = PreTokenizedString::from(normalized);
        if let Some(step) = core.get_pre_tokenizer() {
            step.pre_tokenize(&mut words)?;
        }
        words.tokenize(|word| core.get_model().tokenize(word.get()))?;
        words.into_encoding(None, 0, OffsetType::Byte)
    })?;
    Ok(Encoding {
        ids: encoded.get_ids().to_vec(),
        spans: encoded.get_offsets().iter().map(|(start, end)| *start..*end).collect(),
        ..Encoding::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stretch_is_not_always_the_beginning() {
        let parts = serde_json::json!({
            "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["</s>", 0.0], ["▁", -1.0], ["b", -1.0], ["▁b", -1.0]]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
        });
        let parts =
            crate::tokenizer::formats::tokenizer_json::read(parts.to_string().as_bytes(), Path::new("parts"));
        let parts = parts.expect("parts");
        let (mut core, _) = parts.assemble().expect("a pipeline");
        core.add_special_tokens([AddedToken::from("</s>", true)]).expect("added");
        let ids = |core: &Core, text: &str| encode_core(core, text, false).expect("encodes").ids;
        assert_eq!(ids(&core, "</s>b</s>b"), [1, 3, 1, 3]);
        prefix_first_stretch(&mut core);
        assert_eq!(ids(&core, "</s>b</s>b"), [1, 4, 1, 3]);
        assert_eq!(ids(&core, "b b</s>b"), [4, 4, 1, 3]);
    }
}
