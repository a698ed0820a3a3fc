//! `T` and `T'`: the ids of a prompt, with or without a place for images.
//!
//! `T` is the tokenizer's own call, cut at `model_max_length`. `T'` cuts the prompt at `<image>`, encodes each
//! chunk alone with the tokenizer's special tokens, keeps bos once, and puts −200 between chunks.

use std::ops::Range;

use super::multimodal::IMAGE;
use super::{IMAGE_TOKEN_INDEX, PythonError};
use crate::tokenizer::{Encoding, Role, Tokenizer};

/// Ids of a prompt with the byte range that each stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptIds {
    pub ids: Vec<i64>,
    pub spans: Vec<Range<usize>>,
}

/// The padding check that every call with `padding=` makes before it encodes anything.
///
/// # Errors
/// `ValueError` without a pad token; `TypeError` where the pad token has no id (transformers 4.31, slow).
pub fn check_padding(tokenizer: &Tokenizer) -> Result<(), PythonError> {
    if tokenizer.special.get(Role::Pad).is_none() {
        let message = "Asking to pad but the tokenizer does not have a padding token. Please select a token to use as \
                       `pad_token` `(tokenizer.pad_token = tokenizer.eos_token e.g.)` or add a new pad token via \
                       `tokenizer.add_special_tokens({'pad_token': '[PAD]'})`.";
        return Err(PythonError::new("ValueError", message));
    }
    if tokenizer.role_id(Role::Pad).is_none() {
        return Err(PythonError::new(
            "TypeError",
            "'<' not supported between instances of 'NoneType' and 'int'",
        ));
    }
    Ok(())
}

/// `T` of a whole prompt: padded alone in its batch (so: checked, never padded) and truncated.
pub fn text_ids(
    tokenizer: &Tokenizer,
    prompt: &str,
    model_max_length: usize,
) -> Result<PromptIds, PythonError> {
    check_padding(tokenizer)?;
    with_ids(&tokenizer.encode_truncated(prompt, model_max_length)?).map(|ids| ids.at(0))
}

/// `T'` of a prompt.
pub fn image_ids(tokenizer: &Tokenizer, prompt: &str) -> Result<PromptIds, PythonError> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for chunk in prompt.split(IMAGE) {
        chunks.push((start, with_ids(&tokenizer.encode(chunk, true)?)?));
        start += chunk.len() + IMAGE.len();
    }
    let bos = tokenizer.role_id(Role::Bos).map(i64::from);
    let first = chunks.first().and_then(|(_, c)| Some((*c.ids.first()?, c.spans.first()?.clone())));
    let mut all = PromptIds::default();
    // One bos stands for all chunks, and every chunk gives its first id away: also one that is no bos.
    let skip = match first {
        Some((id, span)) if Some(id) == bos => {
            all.ids.push(id);
            all.spans.push(span);
            1
        }
        _ => 0,
    };
    for (n, (start, chunk)) in chunks.into_iter().enumerate() {
        if n > 0 {
            all.ids.push(IMAGE_TOKEN_INDEX);
            all.spans.push(start - IMAGE.len()..start);
        }
        let chunk = chunk.at(start);
        all.ids.extend(chunk.ids.into_iter().skip(skip));
        all.spans.extend(chunk.spans.into_iter().skip(skip));
    }
    Ok(all)
}

/// Number of ids of a piece that is encoded alone: `len(T'(text))` or `len(T(text))`.
pub fn piece_len(tokenizer: &Tokenizer, text: &str, image_aware: bool) -> Result<i64, PythonError> {
    let len = if image_aware && text.contains(IMAGE) {
        image_ids(tokenizer, text)?.ids.len()
    } else {
        tokenizer.encode(text, true)?.len()
    };
    Ok(i64::try_from(len).unwrap_or(i64::MAX))
}

impl PromptIds {
    /// The same ids, of a text that begins at byte `offset` of the prompt.
    fn at(mut self, offset: usize) -> Self {
        for span in &mut self.spans {
            *span = span.start + offset..span.end + offset;
        }
        self
    }
}

/// The ids as a tensor would hold them.
///
/// # Errors
/// `TypeError` where a token has no id.
fn with_ids(encoding: &Encoding) -> Result<PromptIds, PythonError> {
    if !encoding.without_id.is_empty() {
        return Err(PythonError::new("TypeError", "'NoneType' object cannot be interpreted as an integer"));
    }
    let ids = encoding.ids.iter().map(|id| i64::from(*id)).collect();
    Ok(PromptIds { ids, spans: encoding.spans.clone() })
}
