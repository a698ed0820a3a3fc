//! Where an image goes: each −200 becomes N rows, and every row of the result knows what it stands for.
//!
//! Follows `prepare_inputs_labels_for_multimodal` (docs/moe.md, section 3). The features of a real image need a
//! vision tower; here they are seeded stand-ins, so the routing of image rows shows positions, not
//! content. Whoever shows it must say so.

use super::backbone::{InputRow, Model};
use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::seed::Rng;
use crate::tokenizer::{IGNORE_INDEX, IMAGE_TOKEN_INDEX, TokenId};

/// Rows of one sample at most.
const MAX_ROWS: usize = 1 << 20;

/// How images are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOptions {
    /// Rows one image takes: 576 for CLIP-L/14-336 (24 × 24 patches).
    pub rows_per_image: usize,
    /// `tokenizer_model_max_length`: rows beyond it are cut on the right, inside an image if need be.
    pub max_length: Option<usize>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { rows_per_image: 576, max_length: None }
    }
}

/// Rows that one image takes: as asked for, else as the model's config says, else 576.
pub fn rows_per_image(asked: Option<usize>, config: &Config) -> usize {
    asked.or_else(|| rows_of_config(config)).unwrap_or(ImageOptions::default().rows_per_image)
}

/// From `image_seq_length`, from the sizes in `vision_config`, or from the tower's name
/// (`clip-vit-large-patch14-336`: 24 × 24 patches); with the class token where `mm_vision_select_feature` keeps it.
fn rows_of_config(config: &Config) -> Option<usize> {
    if let Some(rows) = config.opt_size("image_seq_length").ok().flatten() {
        return Some(rows);
    }
    let sizes = match config.object("vision_config").ok().flatten() {
        Some(vision) => {
            vision.index("image_size").ok().flatten().zip(vision.index("patch_size").ok().flatten())
        }
        None => {
            let towers = ["mm_image_tower", "mm_vision_tower"];
            towers.iter().find_map(|key| config.text(key).ok().flatten()).and_then(sizes_of_tower)
        }
    };
    let (image, patch) = sizes.filter(|(image, patch)| *patch > 0 && image >= patch)?;
    let select = |key| config.text(key).ok().flatten();
    let feature = select("mm_vision_select_feature").or_else(|| select("vision_feature_select_strategy"));
    let class_token = usize::from(matches!(feature, Some("cls_patch" | "full")));
    (image / patch).checked_pow(2)?.checked_add(class_token)
}

/// Image and patch size in the name of a vision tower; 224 where it names the patch alone.
fn sizes_of_tower(name: &str) -> Option<(usize, usize)> {
    let (_, rest) = name.rsplit_once("patch")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    let patch = numbers.next()?.parse().ok()?;
    Some((numbers.next().and_then(|n| n.parse().ok()).unwrap_or(224), patch))
}

/// What a row of the expanded sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The token at this index of the input ids.
    Token { index: usize, id: TokenId },
    /// A patch of an image; images count through the sample from `first_image`.
    Image { image: usize, patch: usize, row: usize, column: usize },
}

impl Origin {
    /// `text` or `image`, as in the JSON.
    pub fn modality(&self) -> &'static str {
        match self {
            Self::Token { .. } => "text",
            Self::Image { .. } => "image",
        }
    }
}

/// A sample with its images in place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    pub rows: Vec<Origin>,
    /// One label a row; [`IGNORE_INDEX`] for image rows.
    pub labels: Vec<i64>,
    /// How many image placeholders the sample has.
    pub images: usize,
    /// Rows cut off by `max_length`.
    pub truncated: usize,
}

/// Expands one sample. `labels` may be empty (then all are [`IGNORE_INDEX`]); `first_image` is the number
/// of images that earlier samples of the batch have used up.
///
/// # Errors
/// Labels of another length than the ids, an id that is neither a token nor −200, no rows per image, or
/// so many that they cannot be counted.
pub fn expand(
    input_ids: &[i64],
    labels: &[i64],
    options: &ImageOptions,
    first_image: usize,
) -> MoeResult<Expanded> {
    if !labels.is_empty() && labels.len() != input_ids.len() {
        let (l, n) = (labels.len(), input_ids.len());
        return Err(MoeError::Request(format!("{l} labels for {n} input ids")));
    }
    let patches = options.rows_per_image;
    if patches == 0 || patches > 1 << 20 {
        return Err(MoeError::Request(format!("{patches} rows an image: it must be 1..={}", 1 << 20)));
    }
    let columns = columns(patches);
    let limit = options.max_length.unwrap_or(usize::MAX);
    let mut expanded = Expanded::default();
    let mut total = 0usize;
    let labels = labels.iter().copied().chain(std::iter::repeat(IGNORE_INDEX));
    for ((index, &id), label) in input_ids.iter().enumerate().zip(labels) {
        if id == IMAGE_TOKEN_INDEX {
            let image = first_image + expanded.images;
            expanded.images += 1;
            // Only what fits is built: thousands of placeholders must not fill the memory.
            let fits = patches.min(limit.saturating_sub(total));
            if expanded.rows.len() + fits > MAX_ROWS {
                let message = format!("the images make more than {MAX_ROWS} rows; cut the sample");
                return Err(MoeError::Request(message));
            }
            total = total.saturating_add(patches);
            for patch in 0..fits {
                let (row, column) = (patch / columns, patch % columns);
                expanded.rows.push(Origin::Image { image, patch, row, column });
                expanded.labels.push(IGNORE_INDEX);
            }
            continue;
        }
        let id = TokenId::try_from(id).map_err(|_| {
            MoeError::Request(format!("input id {id} at {index} is neither a token nor -200"))
        })?;
        if total < limit {
            expanded.rows.push(Origin::Token { index, id });
            expanded.labels.push(label);
        }
        total = total.saturating_add(1);
    }
    expanded.truncated = total - expanded.rows.len();
    Ok(expanded)
}

/// Patches of one picture row: the root of a square number, else all patches lie in one row.
fn columns(patches: usize) -> usize {
    let root = patches.isqrt();
    if root * root == patches { root } else { patches }
}

impl Expanded {
    /// The rows as inputs of `model`; image rows get normal noise from `seed`, as strong as the sample's
    /// own token embeddings (root mean square).
    pub fn input_rows(&self, model: &Model, seed: u64) -> MoeResult<Vec<InputRow>> {
        let ids: Vec<TokenId> = self
            .rows
            .iter()
            .filter_map(|row| match row {
                Origin::Token { id, .. } => Some(*id),
                Origin::Image { .. } => None,
            })
            .take(256)
            .collect();
        let strength = if ids.is_empty() { 1.0 } else { rms(&model.embeddings(&ids)?) };
        let rows = self.rows.iter().map(|row| match *row {
            Origin::Token { id, .. } => InputRow::Token(id),
            Origin::Image { image, patch, .. } => {
                let mut rng = Rng::new(seed).fork(image as u64).fork(patch as u64);
                InputRow::Features((0..model.hidden_size()).map(|_| rng.normal() * strength).collect())
            }
        });
        Ok(rows.collect())
    }
}

fn rms(values: &[f32]) -> f32 {
    (values.iter().map(|v| v * v).sum::<f32>() / values.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> ImageOptions {
        ImageOptions { rows_per_image: 4, max_length: None }
    }

    #[test]
    fn one_id_becomes_its_patches() {
        let e = expand(&[7, -200, 8], &[-100, -100, 8], &four(), 2).unwrap();
        assert_eq!(e.rows.len(), 3 + 4 - 1);
        assert_eq!(e.rows[0], Origin::Token { index: 0, id: 7 });
        assert_eq!(e.rows[4], Origin::Image { image: 2, patch: 3, row: 1, column: 1 });
        assert_eq!(e.rows[5], Origin::Token { index: 2, id: 8 });
        assert_eq!(e.labels, [-100, -100, -100, -100, -100, 8]);
        assert_eq!((e.images, e.truncated), (1, 0));
    }

    #[test]
    fn the_cut_may_fall_inside_an_image() {
        let options = ImageOptions { max_length: Some(3), ..four() };
        let e = expand(&[7, -200, 8, -200], &[], &options, 0).unwrap();
        assert_eq!((e.rows.len(), e.labels.len(), e.truncated, e.images), (3, 3, 7, 2));
        assert!(matches!(e.rows[2], Origin::Image { patch: 1, .. }));
    }

    #[test]
    fn images_without_a_cut_do_not_fill_the_memory() {
        let error = expand(&[-200; 2000], &[], &ImageOptions::default(), 0).unwrap_err().to_string();
        assert!(error.contains("1048576 rows"), "{error}");
    }

    #[test]
    fn a_number_that_is_no_square_is_one_row() {
        let options = ImageOptions { rows_per_image: 5, max_length: None };
        let e = expand(&[-200], &[], &options, 0).unwrap();
        assert!(matches!(e.rows[4], Origin::Image { row: 0, column: 4, .. }));
    }

    #[test]
    fn the_config_says_how_many_rows_an_image_takes() {
        for (config, rows) in [
            (r#"{}"#, 576),
            (r#"{"mm_image_tower": "openai/clip-vit-large-patch14-336"}"#, 576),
            (r#"{"mm_vision_tower": "openai/clip-vit-large-patch14"}"#, 256),
            (r#"{"mm_vision_tower": "google/siglip-so400m-patch14-384"}"#, 729),
            (
                r#"{"mm_image_tower": "clip-vit-base-patch16-224", "mm_vision_select_feature": "cls_patch"}"#,
                197,
            ),
            (r#"{"vision_config": {"image_size": 384, "patch_size": 16}}"#, 576),
            (r#"{"image_seq_length": 144, "vision_config": {}}"#, 144),
            (r#"{"mm_image_tower": "x-patch1-18446744073709551615"}"#, 576),
            (r#"{"vision_config": {"image_size": 384, "patch_size": 0}, "mm_image_tower": 7}"#, 576),
        ] {
            let parsed = Config::parse("config.json", config).unwrap();
            assert_eq!(rows_per_image(None, &parsed), rows, "{config}");
            assert_eq!(rows_per_image(Some(9), &parsed), 9);
        }
    }

    #[test]
    fn bad_inputs_are_errors() {
        assert!(expand(&[-5], &[], &four(), 0).is_err());
        assert!(expand(&[1 << 40], &[], &four(), 0).is_err());
        assert!(expand(&[1, 2], &[1], &four(), 0).is_err());
        assert!(expand(&[1], &[], &ImageOptions { rows_per_image: 0, max_length: None }, 0).is_err());
    }
}
