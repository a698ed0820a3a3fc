//! What each position of the forward stands for: a byte of the prompt (byte-moe), or a token or image patch (every
//! other model). The command line and the screen both make their inputs here.
//!
//! Images follow `prepare_inputs_labels_for_multimodal` of LLaVA: each −200 becomes N positions. The features of a real
//! image need a vision tower; here they are seeded stand-ins, so the routing of patches shows positions, not content.
//! Whoever shows it must say so.

use std::ops::Range;

use super::backbone::{InputRow, Model};
use super::error::{MoeError, MoeResult};
use super::seed::Rng;
use crate::tokenizer::{IGNORE_INDEX, IMAGE_TOKEN_INDEX, TokenId};

/// Positions of one sample at most.
const MAX_POSITIONS: usize = 1 << 20;

/// Most bytes in one call: byte-moe looks 96 bytes back, and more would only take time and memory.
pub const MAX_BYTES: usize = 1 << 17;

/// Token embeddings that the strength of stand-in image features is measured on.
const MEASURED_EMBEDDINGS: usize = 256;

/// One patch of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePatch {
    /// Counted through the sample.
    pub image: usize,
    /// Number within the image, in reading order.
    pub index: usize,
    pub row: usize,
    pub column: usize,
}

/// What enters the model at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowContent {
    Byte(u8),
    Token(TokenId),
    Patch(ImagePatch),
}

impl RowContent {
    /// `text` or `image`, as in the JSON.
    pub fn modality(&self) -> &'static str {
        match self {
            Self::Byte(_) | Self::Token(_) => "text",
            Self::Patch(_) => "image",
        }
    }

    /// The patch, for a position of an image.
    pub fn patch(&self) -> Option<ImagePatch> {
        match self {
            Self::Patch(patch) => Some(*patch),
            Self::Byte(_) | Self::Token(_) => None,
        }
    }
}

/// One position of the forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPosition {
    pub content: RowContent,
    /// Index in the input ids of the token it belongs to; of several tokens of one byte the first, `None` for a byte
    /// that no token covers.
    pub token: Option<usize>,
    /// Whether the loss sees it; a byte is supervised when some token over it is.
    pub supervised: bool,
}

/// All positions of one sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    pub all: Vec<RowPosition>,
    /// The positions of each token; empty for one that was cut off or covers no byte.
    pub of_token: Vec<Range<usize>>,
    /// Positions cut off by the maximum length.
    pub truncated: usize,
}

impl Positions {
    /// The first `seen` bytes of a prompt, those that training sees. `spans` are the byte ranges of the tokens, which
    /// may overlap (several tokens of one character) or be empty; `labels` has one entry a token.
    ///
    /// # Errors
    /// More than [`MAX_BYTES`] bytes.
    pub fn of_bytes(prompt: &str, seen: usize, spans: &[Range<usize>], labels: &[i64]) -> MoeResult<Self> {
        if seen > MAX_BYTES {
            let text = format!("the prompt has {seen} bytes, the byte model takes {MAX_BYTES}");
            return Err(MoeError::Request(text));
        }
        let position =
            |byte: &u8| RowPosition { content: RowContent::Byte(*byte), token: None, supervised: false };
        let mut all: Vec<RowPosition> = prompt.as_bytes().iter().take(seen).map(position).collect();
        for ((token, span), label) in spans.iter().enumerate().zip(labels) {
            for position in all.get_mut(span.clone()).into_iter().flatten() {
                position.token = position.token.or(Some(token));
                position.supervised |= *label != IGNORE_INDEX;
            }
        }
        Ok(Self { truncated: prompt.len().saturating_sub(seen), all, of_token: spans.to_vec() })
    }

    /// The tokens of a sample with each −200 replaced by `per_image` patches, cut on the right at `max_length`
    /// (`tokenizer_model_max_length`), inside an image if need be. `labels` may be empty: nothing is supervised then.
    ///
    /// # Errors
    /// Labels of another length than the ids, an id that is neither a token nor −200, no positions per image, or so
    /// many that they cannot be counted.
    pub fn of_tokens(
        input_ids: &[i64],
        labels: &[i64],
        per_image: usize,
        max_length: Option<usize>,
    ) -> MoeResult<Self> {
        if !labels.is_empty() && labels.len() != input_ids.len() {
            let (l, n) = (labels.len(), input_ids.len());
            return Err(MoeError::Request(format!("{l} labels for {n} input ids")));
        }
        if per_image == 0 || per_image > MAX_POSITIONS {
            let text = format!("{per_image} positions an image: it must be 1..={MAX_POSITIONS}");
            return Err(MoeError::Request(text));
        }
        let limit = max_length.unwrap_or(usize::MAX);
        let (mut this, mut images, mut total) = (Self::default(), 0, 0usize);
        let labels = labels.iter().copied().chain(std::iter::repeat(IGNORE_INDEX));
        for ((index, &id), label) in input_ids.iter().enumerate().zip(labels) {
            let start = this.all.len();
            if id == IMAGE_TOKEN_INDEX {
                // Only what fits is built: thousands of placeholders must not fill the memory.
                let fits = per_image.min(limit.saturating_sub(total));
                total = total.saturating_add(per_image);
                this.push_image((index, images), per_image, fits)?;
                images += 1;
            } else {
                let id = TokenId::try_from(id).map_err(|_| {
                    MoeError::Request(format!("input id {id} at {index} is neither a token nor -200"))
                })?;
                if total < limit {
                    let supervised = label != IGNORE_INDEX;
                    this.all.push(RowPosition {
                        content: RowContent::Token(id),
                        token: Some(index),
                        supervised,
                    });
                }
                total = total.saturating_add(1);
            }
            this.of_token.push(start..this.all.len());
        }
        this.truncated = total - this.all.len();
        Ok(this)
    }

    /// The first `fits` patches of an image that takes `per_image` positions.
    fn push_image(&mut self, (token, image): (usize, usize), per_image: usize, fits: usize) -> MoeResult<()> {
        if self.all.len() + fits > MAX_POSITIONS {
            let text = format!("the images make more than {MAX_POSITIONS} positions; cut the sample");
            return Err(MoeError::Request(text));
        }
        let columns = columns(per_image);
        self.all.extend((0..fits).map(|index| {
            let patch = ImagePatch { image, index, row: index / columns, column: index % columns };
            RowPosition { content: RowContent::Patch(patch), token: Some(token), supervised: false }
        }));
        Ok(())
    }

    /// The inputs of `model`, one a position. Patches get normal noise from `seed`, as strong as the sample's own token
    /// embeddings (root mean square).
    ///
    /// # Errors
    /// A token beyond the vocabulary of the model, where there are images.
    pub fn input_rows(&self, model: &Model, seed: u64) -> MoeResult<Vec<InputRow>> {
        let strength = match self.all.iter().any(|p| p.content.patch().is_some()) {
            true => self.embedding_strength(model)?,
            false => 0.0,
        };
        let input = |position: &RowPosition| match position.content {
            RowContent::Byte(byte) => InputRow::Token(TokenId::from(byte)),
            RowContent::Token(id) => InputRow::Token(id),
            RowContent::Patch(patch) => {
                let mut rng = Rng::new(seed).fork(patch.image as u64).fork(patch.index as u64);
                InputRow::Features((0..model.hidden_size()).map(|_| rng.normal() * strength).collect())
            }
        };
        Ok(self.all.iter().map(input).collect())
    }

    /// Root mean square of the embeddings of the first tokens; 1 without tokens.
    fn embedding_strength(&self, model: &Model) -> MoeResult<f32> {
        let id = |position: &RowPosition| match position.content {
            RowContent::Token(id) => Some(id),
            RowContent::Byte(_) | RowContent::Patch(_) => None,
        };
        let ids: Vec<TokenId> = self.all.iter().filter_map(id).take(MEASURED_EMBEDDINGS).collect();
        if ids.is_empty() {
            return Ok(1.0);
        }
        let values = model.embeddings(&ids)?;
        Ok((values.iter().map(|v| v * v).sum::<f32>() / values.len().max(1) as f32).sqrt())
    }
}

/// Patches of one picture row: the root of a square number, else all patches lie in one row.
fn columns(patches: usize) -> usize {
    let root = patches.isqrt();
    if root * root == patches { root } else { patches }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_tokens(ids: &[i64], labels: &[i64], max_length: Option<usize>) -> Positions {
        Positions::of_tokens(ids, labels, 4, max_length).unwrap()
    }

    #[test]
    fn one_id_becomes_its_patches() {
        let p = of_tokens(&[7, -200, 8], &[-100, -100, 8], None);
        assert_eq!(p.all.len(), 3 + 4 - 1);
        assert_eq!(p.of_token, [0..1, 1..5, 5..6]);
        let token = |id, token, supervised| RowPosition { content: RowContent::Token(id), token, supervised };
        assert_eq!((p.all[0], p.all[5]), (token(7, Some(0), false), token(8, Some(2), true)));
        let patch = ImagePatch { image: 0, index: 3, row: 1, column: 1 };
        assert_eq!((p.all[4].content, p.all[4].token), (RowContent::Patch(patch), Some(1)));
        assert_eq!(p.truncated, 0);
    }

    #[test]
    fn the_cut_may_fall_inside_an_image() {
        let p = of_tokens(&[7, -200, 8, -200], &[], Some(3));
        assert_eq!((p.all.len(), p.truncated), (3, 7));
        assert_eq!(p.of_token, [0..1, 1..3, 3..3, 3..3]);
        assert_eq!(p.all[2].content.patch().map(|p| p.index), Some(1));
    }

    #[test]
    fn images_without_a_cut_do_not_fill_the_memory() {
        let error = Positions::of_tokens(&[-200; 2000], &[], 576, None).unwrap_err().to_string();
        assert!(error.contains("1048576 positions"), "{error}");
    }

    #[test]
    fn a_number_that_is_no_square_is_one_row() {
        let p = Positions::of_tokens(&[-200], &[], 5, None).unwrap();
        assert_eq!(p.all[4].content.patch().map(|p| (p.row, p.column)), Some((0, 4)));
    }

    #[test]
    fn bad_inputs_are_errors() {
        assert!(Positions::of_tokens(&[-5], &[], 4, None).is_err());
        assert!(Positions::of_tokens(&[1 << 40], &[], 4, None).is_err());
        assert!(Positions::of_tokens(&[1, 2], &[1], 4, None).is_err());
        assert!(Positions::of_tokens(&[1], &[], 0, None).is_err());
        assert!(Positions::of_bytes(&"a".repeat(MAX_BYTES + 1), MAX_BYTES + 1, &[], &[]).is_err());
    }

    #[test]
    fn a_byte_belongs_to_its_first_token_and_is_supervised_by_any() {
        // Two tokens share the two bytes of é; the last byte lies beyond what training sees.
        let p = Positions::of_bytes("aéb!", 4, &[0..1, 1..3, 1..3, 4..5], &[-100, -100, 5, 6]).unwrap();
        let seen: Vec<_> = p.all.iter().map(|p| (p.token, p.supervised)).collect();
        assert_eq!(seen, [(Some(0), false), (Some(1), true), (Some(1), true), (None, false)]);
        assert_eq!((p.truncated, p.all[0].content), (1, RowContent::Byte(b'a')));
    }
}
