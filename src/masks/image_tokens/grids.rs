//! The processors whose count depends on the image's size.

use std::ops::RangeInclusive;

use super::count::{ImageSize, ImageTokens, step};
use crate::masks::MaskError;

/// Aspect ratio that Qwen's `smart_resize` refuses.
const MAX_ASPECT: f64 = 200.0;
/// Longest side that Idefics3 works on before it cuts tiles.
const IDEFICS3_MAX_SIDE: usize = 4096;

/// Anyres of LLaVA-NeXT. `base` is the rule for the whole image.
pub(super) fn llava_next(
    size: ImageSize,
    image_size: usize,
    patch_size: usize,
    pinpoints: &[(usize, usize)],
    base: ImageTokens,
) -> Result<ImageTokens, MaskError> {
    let Some((best_height, best_width)) = best_resolution(size, pinpoints) else {
        return Err(MaskError::python("TypeError", "grid_pinpoints should be a list of tuples or lists"));
    };
    let (height, width) = (size.height as f64, size.width as f64);
    let side = image_size / patch_size.max(1);
    let (full_rows, full_cols) =
        (side * (best_height / image_size.max(1)), side * (best_width / image_size.max(1)));
    let (mut rows, mut cols) = (full_rows, full_cols);
    if width / height > cols as f64 / rows as f64 {
        let used = round7(height * (cols as f64 / width)) as usize;
        rows -= 2 * (rows.saturating_sub(used) / 2);
    } else {
        let used = round7(width * (rows as f64 / height)) as usize;
        cols -= 2 * (cols.saturating_sub(used) / 2);
    }
    let count = rows * cols + rows + base.count;
    let mut steps = vec![
        step("best resolution", format!("{best_height}×{best_width} of {} pinpoints", pinpoints.len())),
        step("feature grid", format!("{full_rows}×{full_cols}, without padding {rows}×{cols}")),
    ];
    steps.extend(base.steps);
    steps.push(step(
        "image tokens",
        format!("{rows}·{cols} + {rows} (newlines) + {} (whole image) = {count}", base.count),
    ));
    Ok(ImageTokens { count, grid: Some((rows, cols)), text: format!("<image>×{count}"), steps })
}

/// Python's `round(x, 7)`, then `int()` of it.
fn round7(value: f64) -> f64 {
    (value * 1e7).round() / 1e7
}

/// The resolution that keeps most of the image, then the one that wastes least.
fn best_resolution(size: ImageSize, pinpoints: &[(usize, usize)]) -> Option<(usize, usize)> {
    let mut best: Option<((usize, usize), usize, usize)> = None;
    for (height, width) in pinpoints.iter().copied() {
        let scale = (width as f64 / size.width as f64).min(height as f64 / size.height as f64);
        let scaled_width = (size.width as f64 * scale) as usize;
        let scaled_height = (size.height as f64 * scale) as usize;
        let effective = (scaled_width * scaled_height).min(size.width * size.height);
        let wasted = (width * height).saturating_sub(effective);
        let better = match best {
            None => true,
            Some((_, most, least)) => effective > most || (effective == most && wasted < least),
        };
        if better {
            best = Some(((height, width), effective, wasted));
        }
    }
    best.map(|(resolution, _, _)| resolution)
}

/// `smart_resize` of Qwen2-VL and its successors.
pub(super) fn qwen_vl(
    size: ImageSize,
    patch_size: usize,
    merge_size: usize,
    pixels: RangeInclusive<usize>,
) -> Result<ImageTokens, MaskError> {
    let factor = (patch_size * merge_size).max(1);
    let (height, width, f) = (size.height as f64, size.width as f64, factor as f64);
    let aspect = height.max(width) / height.min(width);
    if aspect > MAX_ASPECT {
        let message = format!("absolute aspect ratio must be smaller than 200, got {aspect}");
        return Err(MaskError::python("ValueError", message));
    }
    // Python rounds halves to even.
    let (mut new_height, mut new_width) =
        ((height / f).round_ties_even() * f, (width / f).round_ties_even() * f);
    let mut steps =
        vec![step("rounded to the factor", format!("{new_height}×{new_width} (multiples of {factor})"))];
    if new_height * new_width > *pixels.end() as f64 {
        let beta = (height * width / *pixels.end() as f64).sqrt();
        new_height = f.max((height / beta / f).floor() * f);
        new_width = f.max((width / beta / f).floor() * f);
        steps.push(step("scaled down", format!("over {} pixels: {new_height}×{new_width}", pixels.end())));
    } else if new_height * new_width < *pixels.start() as f64 {
        let beta = (*pixels.start() as f64 / (height * width)).sqrt();
        new_height = (height * beta / f).ceil() * f;
        new_width = (width * beta / f).ceil() * f;
        steps.push(step("scaled up", format!("under {} pixels: {new_height}×{new_width}", pixels.start())));
    }
    let (rows, cols) = ((new_height / f) as usize, (new_width / f) as usize);
    let count = rows * cols;
    steps.push(step(
        "image tokens",
        format!("({new_height}/{factor}) · ({new_width}/{factor}) = {rows}·{cols} = {count}"),
    ));
    let text = format!("<|vision_start|><|image_pad|>×{count}<|vision_end|>");
    Ok(ImageTokens { count, grid: Some((rows, cols)), text, steps })
}

/// InternVL's tiles: the grid of the closest aspect ratio, the larger one on a tie if the image fills half of it.
pub(super) fn intern_vl(
    size: ImageSize,
    tile_size: usize,
    seq_length: usize,
    patches: RangeInclusive<usize>,
) -> ImageTokens {
    let max = (*patches.end()).min(MAX_TILES);
    let mut grids: Vec<(usize, usize)> = (1..=max)
        .flat_map(|cols| (1..=max).map(move |rows| (cols, rows)))
        .filter(|(c, r)| c * r <= max && patches.contains(&(c * r)))
        .collect();
    grids.sort_by_key(|(cols, rows)| cols * rows);
    let aspect = size.width as f64 / size.height as f64;
    let area = size.width as f64 * size.height as f64;
    let (mut best, mut least) = ((1, 1), f64::INFINITY);
    for (cols, rows) in grids {
        let difference = (aspect - cols as f64 / rows as f64).abs();
        let half = 0.5 * (tile_size * tile_size * cols * rows) as f64;
        if difference < least || (difference == least && area > half) {
            least = difference;
            best = (cols, rows);
        }
    }
    let (cols, rows) = best;
    let tiles = rows * cols + usize::from(rows * cols > 1);
    let count = seq_length * tiles;
    let steps = vec![
        step("grid", format!("{rows} rows × {cols} columns of {tile_size} pixels")),
        step("tiles", format!("{tiles}, with a thumbnail when there are several")),
        step("image tokens", format!("{seq_length}·{tiles} = {count}")),
    ];
    ImageTokens { count, grid: Some((rows, cols)), text: format!("<img><IMG_CONTEXT>×{count}</img>"), steps }
}

/// More tiles than any configuration asks for.
const MAX_TILES: usize = 256;

/// Idefics3 and SmolVLM: the longest edge is scaled, both sides are filled up to whole tiles.
pub(super) fn idefics3(
    size: ImageSize,
    longest_edge: usize,
    tile_size: usize,
    seq_length: usize,
) -> ImageTokens {
    let tile = tile_size.max(1);
    let (mut height, mut width) = scale_longest(size.height, size.width, longest_edge);
    if height.max(width) > IDEFICS3_MAX_SIDE {
        (height, width) = scale_longest(height, width, IDEFICS3_MAX_SIDE);
    }
    let up = |side: usize| side.div_ceil(tile) * tile;
    let aspect = width as f64 / height as f64;
    let (full_height, full_width) = if width >= height {
        let full = up(width);
        (up((full as f64 / aspect) as usize), full)
    } else {
        let full = up(height);
        (full, up((full as f64 * aspect) as usize))
    };
    let cut = full_height > tile || full_width > tile;
    let (rows, cols) = if cut { (full_height.div_ceil(tile), full_width.div_ceil(tile)) } else { (0, 0) };
    let count = seq_length * (rows * cols + 1);
    let steps = vec![
        step("longest edge", format!("scaled to {longest_edge}: {height}×{width}")),
        step("tiles", format!("{full_height}×{full_width} = {rows} rows × {cols} columns of {tile}")),
        step("image tokens", format!("{seq_length} · ({rows}·{cols} + 1) = {count}")),
    ];
    let fake = "<fake_token_around_image>";
    let text = match cut {
        true => format!(
            "{rows} rows of {cols} × {fake}<row_r_col_c><image>×{seq_length}, then \\n{fake}<global-img><image>×{seq_length}{fake}"
        ),
        false => format!("{fake}<global-img><image>×{seq_length}{fake}"),
    };
    ImageTokens { count, grid: Some((rows, cols)), text, steps }
}

/// Scales the longest side to `longest`; the other is truncated and made even.
fn scale_longest(height: usize, width: usize, longest: usize) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    let even = |side: f64| {
        let side = side as usize;
        (side + side % 2).max(1)
    };
    if width >= height {
        (even(longest as f64 / aspect), longest)
    } else {
        (longest, even(longest as f64 * aspect))
    }
}

/// Pixtral and Mistral-3: scaled down to the longest edge, sides filled up to patches.
pub(super) fn pixtral(size: ImageSize, longest_edge: usize, patch: usize) -> ImageTokens {
    let ratio = (size.height as f64 / longest_edge as f64).max(size.width as f64 / longest_edge as f64);
    let scale = |side: usize| if ratio > 1.0 { (side as f64 / ratio).floor() as usize } else { side };
    let (height, width) = (scale(size.height), scale(size.width));
    let tokens = |side: usize| side.saturating_sub(1) / patch.max(1) + 1;
    let (rows, cols) = (tokens(height), tokens(width));
    let count = rows * cols;
    let steps = vec![
        step("scaled", format!("{height}×{width} (longest edge {longest_edge})")),
        step("image tokens", format!("{rows} rows × {cols} = {count}, plus {rows} break and end tokens")),
    ];
    ImageTokens {
        count,
        grid: Some((rows, cols)),
        text: format!("{rows} × ([IMG]×{cols}[IMG_BREAK]), the last [IMG_END]"),
        steps,
    }
}
