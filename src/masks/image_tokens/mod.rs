//! How many placeholder tokens an image becomes, from the processor's configuration and the image's size.
//!
//! [`ImageProcessor::from_configs`] reads the configuration files, [`ImageProcessor::count`] gives the number with the
//! arithmetic behind it; [`ImageExpansion`] expands every placeholder of a text. Sizes are pixels, height before width. The rules are those of the
//! processors in transformers 5.23 (`models/*/processing_*.py`, `image_processing_*.py`).

mod config;
mod count;
mod expansion;
mod grids;

pub use count::{CountStep, ImageSize, ImageTokens};
pub use expansion::{ExpandedImage, ImageExpansion, Placeholders};

use count::step;

use super::MaskError;

/// A processor's rule with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageProcessor {
    /// One square image: `(S/p)²`, plus tokens of the encoder, less the class token.
    Llava { image_size: usize, patch_size: usize, additional: usize, drop_class_token: bool },
    /// The image in tiles of the best of some resolutions, padding cut off, a newline token a row, plus the whole.
    LlavaNext {
        image_size: usize,
        patch_size: usize,
        additional: usize,
        drop_class_token: bool,
        /// (height, width) of the resolutions.
        grid_pinpoints: Vec<(usize, usize)>,
    },
    /// The image scaled to multiples of `patch_size · merge_size` within a range of areas.
    QwenVl { patch_size: usize, merge_size: usize, min_pixels: usize, max_pixels: usize },
    /// Square tiles of the closest aspect ratio, and a thumbnail.
    InternVl { tile_size: usize, seq_length: usize, min_patches: usize, max_patches: usize },
    /// Tiles of a scaled image and the whole, with row and column tokens.
    Idefics3 { longest_edge: usize, tile_size: usize, seq_length: usize },
    /// A fixed number.
    Gemma3 { tokens: usize },
    /// A fixed number in front of the prompt.
    PaliGemma { tokens: usize },
    /// A row of tokens per row of patches, each ended by a break token.
    Pixtral { longest_edge: usize, patch_size: usize, merge_size: usize },
}

impl ImageProcessor {
    /// The token that the model's chat template writes for an image, where its configuration names none.
    pub fn placeholder(&self) -> &'static str {
        match self {
            Self::Llava { .. } | Self::LlavaNext { .. } | Self::Idefics3 { .. } | Self::PaliGemma { .. } => {
                "<image>"
            }
            Self::QwenVl { .. } => "<|image_pad|>",
            Self::InternVl { .. } => "<IMG_CONTEXT>",
            Self::Gemma3 { .. } => "<start_of_image>",
            Self::Pixtral { .. } => "[IMG]",
        }
    }

    /// Tokens for one image.
    ///
    /// # Errors
    /// `ValueError` where the processor refuses the size.
    pub fn count(&self, size: ImageSize) -> Result<ImageTokens, MaskError> {
        if size.height == 0 || size.width == 0 || size.height.max(size.width) > MAX_SIDE {
            let (height, width) = (size.height, size.width);
            return Err(MaskError::python(
                "ValueError",
                format!("an image of {height}×{width} pixels cannot be processed"),
            ));
        }
        match *self {
            Self::Llava { image_size, patch_size, additional, drop_class_token } => {
                Ok(llava(image_size, patch_size, additional, drop_class_token))
            }
            Self::LlavaNext { image_size, patch_size, additional, drop_class_token, ref grid_pinpoints } => {
                let base = llava(image_size, patch_size, additional, drop_class_token);
                grids::llava_next(size, image_size, patch_size, grid_pinpoints, base)
            }
            Self::QwenVl { patch_size, merge_size, min_pixels, max_pixels } => {
                grids::qwen_vl(size, patch_size, merge_size, min_pixels..=max_pixels)
            }
            Self::InternVl { tile_size, seq_length, min_patches, max_patches } => {
                Ok(grids::intern_vl(size, tile_size, seq_length, min_patches..=max_patches))
            }
            Self::Idefics3 { longest_edge, tile_size, seq_length } => {
                Ok(grids::idefics3(size, longest_edge, tile_size, seq_length))
            }
            Self::Gemma3 { tokens } => Ok(fixed(
                tokens,
                format!("\\n\\n<start_of_image><image_soft_token>×{tokens}<end_of_image>\\n\\n"),
                "mm_tokens_per_image; pan-and-scan is off",
            )),
            Self::PaliGemma { tokens } => Ok(fixed(
                tokens,
                format!("<image>×{tokens}<bos>"),
                "image_seq_length, in front of the prompt",
            )),
            Self::Pixtral { longest_edge, patch_size, merge_size } => {
                Ok(grids::pixtral(size, longest_edge, patch_size * merge_size))
            }
        }
    }
}

/// No image is larger; beyond it the arithmetic need not be trusted.
const MAX_SIDE: usize = 1 << 20;

fn fixed(count: usize, text: String, why: &str) -> ImageTokens {
    ImageTokens { count, grid: None, text, steps: vec![step("image tokens", format!("{count} ({why})"))] }
}

fn llava(image_size: usize, patch_size: usize, additional: usize, drop_class_token: bool) -> ImageTokens {
    let side = image_size / patch_size.max(1);
    let dropped = usize::from(drop_class_token);
    let count = (side * side + additional).saturating_sub(dropped);
    let steps = vec![
        step("patches a side", format!("{image_size} / {patch_size} = {side}")),
        step(
            "image tokens",
            format!("{side}² + {additional} (added by the encoder) − {dropped} (class token) = {count}"),
        ),
    ];
    ImageTokens { count, grid: None, text: format!("<image>×{count}"), steps }
}
