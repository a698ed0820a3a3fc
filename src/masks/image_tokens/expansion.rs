//! From the placeholders of a rendered text to image tokens, as rows: where each stands, how many tokens it becomes and
//! why, and how many truncation leaves.
//!
//! ```text
//! placeholder  at token  image    becomes  tokens     left
//! 1            4         336×672  1 176    4‥1180     1 176
//! 2            1 190     336×336  576      2365‥2941  0      behind max_length 2048
//! ```

use std::ops::Range;

use super::ImageProcessor;
use super::count::{ImageSize, ImageTokens};
use crate::masks::MaskError;

/// The placeholders of one conversation, as the template wrote them: one token each.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders<'a> {
    /// Token positions, ascending.
    pub positions: &'a [usize],
    /// Number of tokens with every placeholder as one.
    pub len: usize,
    /// Positions that are supervised before expansion.
    pub supervised: &'a [bool],
}

/// One image in the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandedImage {
    /// Token position of the placeholder.
    pub position: usize,
    /// `None` where the data has no image for it: it stays one token.
    pub image: Option<(ImageSize, ImageTokens)>,
    /// Positions after expansion.
    pub expanded: Range<usize>,
    /// Tokens that truncation leaves of it.
    pub left: usize,
    /// Its tokens are supervised: a loss on image features.
    pub supervised: bool,
}

/// All images of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageExpansion {
    pub rows: Vec<ExpandedImage>,
    /// Images of the data that have no placeholder.
    pub without_placeholder: usize,
    /// Tokens before and after expansion, and after truncation.
    pub written: usize,
    pub expanded: usize,
    pub left: usize,
}

impl ImageExpansion {
    /// Expands every placeholder by the processor's rule and cuts at `max_length`.
    ///
    /// # Errors
    /// Sizes that the processor refuses.
    pub fn new(
        text: &Placeholders<'_>,
        images: &[ImageSize],
        processor: &ImageProcessor,
        max_length: Option<usize>,
    ) -> Result<Self, MaskError> {
        let cap = max_length.unwrap_or(usize::MAX);
        let mut rows = Vec::with_capacity(text.positions.len());
        let mut grown = 0_usize;
        for (index, position) in text.positions.iter().copied().enumerate() {
            let image = match images.get(index) {
                Some(size) => Some((*size, processor.count(*size)?)),
                None => None,
            };
            let count = image.as_ref().map_or(1, |(_, tokens)| tokens.count);
            let start = position.saturating_add(grown);
            let expanded = start..start.saturating_add(count);
            let left = expanded.end.min(cap).saturating_sub(expanded.start);
            let supervised = text.supervised.get(position).copied().unwrap_or(false);
            grown = grown.saturating_add(count).saturating_sub(1);
            rows.push(ExpandedImage { position, image, expanded, left, supervised });
        }
        let expanded = text.len.saturating_add(grown);
        Ok(Self {
            without_placeholder: images.len().saturating_sub(rows.len()),
            rows,
            written: text.len,
            expanded,
            left: expanded.min(cap),
        })
    }

    /// Image tokens that truncation took: features without a place, which the model's code refuses.
    #[cfg(test)]
    fn lost(&self) -> usize {
        self.rows.iter().map(|row| row.expanded.len() - row.left).sum()
    }

    /// Placeholders for which the data has no image.
    #[cfg(test)]
    fn without_image(&self) -> usize {
        self.rows.iter().filter(|row| row.image.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAVA: ImageProcessor =
        ImageProcessor::Llava { image_size: 336, patch_size: 14, additional: 1, drop_class_token: true };

    #[test]
    fn placeholders_grow_and_are_cut() {
        let size = ImageSize { height: 336, width: 336 };
        let text = Placeholders { positions: &[4, 10], len: 20, supervised: &[false; 20] };
        let expansion = ImageExpansion::new(&text, &[size, size], &LLAVA, Some(600)).unwrap();
        assert_eq!(expansion.rows[0].expanded, 4..580);
        assert_eq!(expansion.rows[1].expanded, 585..1161);
        assert_eq!((expansion.rows[0].left, expansion.rows[1].left), (576, 15));
        assert_eq!((expansion.written, expansion.expanded, expansion.left), (20, 1170, 600));
        assert_eq!(expansion.lost(), 561);
    }

    #[test]
    fn images_and_placeholders_may_differ_in_number() {
        let size = ImageSize { height: 336, width: 336 };
        let text =
            Placeholders { positions: &[0, 3], len: 5, supervised: &[false, false, false, true, true] };
        let expansion = ImageExpansion::new(&text, &[size], &LLAVA, None).unwrap();
        assert_eq!((expansion.without_image(), expansion.without_placeholder), (1, 0));
        assert!(expansion.rows[1].supervised && expansion.rows[1].expanded.len() == 1);
        let none = Placeholders { positions: &[], ..text };
        assert_eq!(ImageExpansion::new(&none, &[size], &LLAVA, None).unwrap().without_placeholder, 1);
    }
}
