//! How many positions an image takes in a model.

use super::config::Config;

/// Positions of one image where nothing else is said: CLIP-L/14-336 makes 24 × 24 patches.
const CLIP_PATCHES: usize = 576;

/// Positions that one image takes: as asked for, else as the model's config says, else 576.
pub fn positions_per_image(asked: Option<usize>, config: &Config) -> usize {
    asked.or_else(|| positions_of_config(config)).unwrap_or(CLIP_PATCHES)
}

/// From `image_seq_length`, from the sizes in `vision_config`, or from the tower's name
/// (`clip-vit-large-patch14-336`: 24 × 24 patches); with the class token where `mm_vision_select_feature` keeps it.
fn positions_of_config(config: &Config) -> Option<usize> {
    if let Some(positions) = config.opt_size("image_seq_length").ok().flatten() {
        return Some(positions);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_says_how_many_positions_an_image_takes() {
        for (config, positions) in [
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
            assert_eq!(positions_per_image(None, &parsed), positions, "{config}");
            assert_eq!(positions_per_image(Some(9), &parsed), 9);
        }
    }
}
