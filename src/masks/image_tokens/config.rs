//! Processors from `processor_config.json` and `preprocessor_config.json`.

use serde_json::Value;

use super::ImageProcessor;
use crate::masks::MaskError;

/// Looks a key up in the processor's configuration, its image processor, and the preprocessor's.
struct Configs<'a> {
    places: Vec<&'a Value>,
    class: String,
}

impl<'a> Configs<'a> {
    fn new(processor: &'a Value, preprocessor: &'a Value, model: &'a Value) -> Self {
        let vision = model.get("vision_config");
        let nested = processor.get("image_processor");
        let places: Vec<&Value> = [Some(processor), nested, Some(preprocessor), Some(model), vision]
            .into_iter()
            .flatten()
            .collect();
        let names = ["processor_class", "image_processor_type", "model_type"];
        let class =
            places.iter().flat_map(|place| names.iter().filter_map(|name| place.get(*name)?.as_str()));
        let class = class.collect::<Vec<_>>().join(" ").to_lowercase().replace(['_', '-'], "");
        Self { places, class }
    }

    fn value(&self, path: &str) -> Option<&'a Value> {
        self.places
            .iter()
            .find_map(|place| path.split('.').try_fold(*place, |v, key| v.get(key)).filter(|v| !v.is_null()))
    }

    fn number(&self, paths: &[&str]) -> Option<usize> {
        paths.iter().find_map(|path| {
            let value = self.value(path)?;
            let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
            usize::try_from(value.as_u64()?).ok().filter(|n| *n > 0)
        })
    }

    fn need(&self, paths: &[&str]) -> Result<usize, MaskError> {
        self.number(paths).ok_or_else(|| {
            MaskError::Tokenizer(crate::Error::Usage(format!(
                "the processor's configuration has no {}",
                paths.join(" or ")
            )))
        })
    }

    fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.class.contains(name))
    }
}

impl ImageProcessor {
    /// The rule that a model's configuration files ask for. `Null` stands for a file that is not there.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when no rule is known for the processor, or a number is missing.
    pub fn from_configs(processor: &Value, preprocessor: &Value, model: &Value) -> Result<Self, MaskError> {
        let configs = Configs::new(processor, preprocessor, model);
        if configs.is(&["qwen2vl", "qwen25vl", "qwen2.5vl", "qwen3vl"]) {
            return qwen_vl(&configs);
        }
        if configs.is(&["llavanext"]) {
            return llava_next(&configs);
        }
        if configs.is(&["idefics3", "smolvlm"]) {
            return Ok(Self::Idefics3 {
                longest_edge: configs.need(&["size.longest_edge"])?,
                tile_size: configs.need(&["max_image_size.longest_edge"])?,
                seq_length: configs.number(&["image_seq_len"]).unwrap_or(169),
            });
        }
        if configs.is(&["internvl"]) {
            return Ok(Self::InternVl {
                tile_size: configs.number(&["size.height", "image_size"]).unwrap_or(448),
                seq_length: configs.number(&["image_seq_length"]).unwrap_or(256),
                min_patches: configs.number(&["min_patches"]).unwrap_or(1),
                max_patches: configs.number(&["max_patches"]).unwrap_or(12),
            });
        }
        if configs.is(&["paligemma"]) {
            return Ok(Self::PaliGemma { tokens: configs.need(&["image_seq_length", "num_image_tokens"])? });
        }
        if configs.is(&["gemma3"]) {
            let tokens = configs.number(&["mm_tokens_per_image", "image_seq_length"]).unwrap_or(256);
            return Ok(Self::Gemma3 { tokens });
        }
        if configs.is(&["pixtral", "mistral3"]) {
            return Ok(Self::Pixtral {
                longest_edge: configs.need(&["size.longest_edge"])?,
                patch_size: configs.need(&["patch_size", "patch_size.height"])?,
                merge_size: configs.number(&["spatial_merge_size"]).unwrap_or(1),
            });
        }
        if configs.is(&["llava"]) {
            let (image_size, patch_size, additional, drop_class_token) = llava(&configs)?;
            return Ok(Self::Llava { image_size, patch_size, additional, drop_class_token });
        }
        let message = format!("no rule is known for the processor {:?}", configs.class);
        Err(MaskError::Tokenizer(crate::Error::Usage(message)))
    }
}

fn qwen_vl(configs: &Configs) -> Result<ImageProcessor, MaskError> {
    let newer = configs.is(&["qwen3vl"]);
    let (patch, min, max) = if newer { (16, 65_536, 16_777_216) } else { (14, 3136, 1_003_520) };
    Ok(ImageProcessor::QwenVl {
        patch_size: configs.number(&["patch_size"]).unwrap_or(patch),
        merge_size: configs.number(&["merge_size"]).unwrap_or(2),
        min_pixels: configs.number(&["min_pixels", "size.shortest_edge"]).unwrap_or(min),
        max_pixels: configs.number(&["max_pixels", "size.longest_edge"]).unwrap_or(max),
    })
}

fn llava(configs: &Configs) -> Result<(usize, usize, usize, bool), MaskError> {
    let image_size = configs.need(&[
        "crop_size.height",
        "crop_size",
        "size.height",
        "size.shortest_edge",
        "image_size",
    ])?;
    let patch_size = configs.need(&["patch_size"])?;
    // 0 is a meaningful number here.
    let additional = configs.value("num_additional_image_tokens").and_then(Value::as_u64).unwrap_or(1);
    let strategy =
        configs.value("vision_feature_select_strategy").and_then(Value::as_str).unwrap_or("default");
    Ok((image_size, patch_size, usize::try_from(additional).unwrap_or(1), strategy == "default"))
}

fn llava_next(configs: &Configs) -> Result<ImageProcessor, MaskError> {
    let (image_size, patch_size, additional, drop_class_token) = llava(configs)?;
    let pair = |value: &Value| {
        let side = |index: usize| usize::try_from(value.get(index)?.as_u64()?).ok();
        Some((side(0)?, side(1)?))
    };
    let grid_pinpoints: Vec<(usize, usize)> =
        match configs.value("image_grid_pinpoints").and_then(Value::as_array) {
            Some(list) => list.iter().filter_map(pair).collect(),
            None => vec![(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)],
        };
    Ok(ImageProcessor::LlavaNext { image_size, patch_size, additional, drop_class_token, grid_pinpoints })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn configurations_name_the_rule() {
        let preprocessor = json!({"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2,
            "min_pixels": 3136, "max_pixels": 12845056});
        let rule = ImageProcessor::from_configs(&Value::Null, &preprocessor, &Value::Null).unwrap();
        assert_eq!(
            rule,
            ImageProcessor::QwenVl {
                patch_size: 14,
                merge_size: 2,
                min_pixels: 3136,
                max_pixels: 12_845_056
            }
        );
        let processor = json!({"processor_class": "LlavaProcessor", "patch_size": 14,
            "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1});
        let preprocessor = json!({"crop_size": {"height": 336, "width": 336}});
        let rule = ImageProcessor::from_configs(&processor, &preprocessor, &Value::Null).unwrap();
        assert_eq!(
            rule,
            ImageProcessor::Llava { image_size: 336, patch_size: 14, additional: 1, drop_class_token: true }
        );
        assert!(
            ImageProcessor::from_configs(&json!({"processor_class": "X"}), &Value::Null, &Value::Null)
                .is_err()
        );
    }
}
