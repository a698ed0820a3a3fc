//! The class that the files of a tokenizer name, or point to.

use serde_json::Value;

use crate::error::Result;
use crate::tokenizer::classes;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::release::Release;

/// What the files say about their class.
pub struct Named {
    /// In tokenizer_config.json, else in config.json.
    class: Option<String>,
    /// The kind of model that config.json is of.
    model_type: Option<String>,
    /// The class is code of its own, which lies beside the files.
    is_own_code: bool,
}

impl Named {
    /// Reads the two configurations.
    ///
    /// # Errors
    /// A broken tokenizer_config.json; a broken config.json is no obstacle.
    pub fn in_files(files: &FileSet) -> Result<Self> {
        let config = files.json("tokenizer_config.json")?.unwrap_or_default();
        let model = files.json("config.json").ok().flatten().unwrap_or_default();
        let text = |file: &Value, key: &str| Some(file.get(key)?.as_str()?.to_string());
        Ok(Self {
            class: text(&config, "tokenizer_class").or_else(|| text(&model, "tokenizer_class")),
            model_type: text(&model, "model_type"),
            is_own_code: config.get("auto_map").is_some(),
        })
    }

    /// The name of the class that is loaded.
    pub fn class(&self, files: &FileSet, release: Release) -> String {
        let (class, model_type) = (self.class.as_deref(), self.model_type.as_deref());
        if let (Release::V5, Some(model_type), false) = (release, model_type, self.is_own_code) {
            let found = classes::v5_of_model_type(class, model_type);
            // Python has nothing to load then; what the files are may still be shown.
            let is_lost = found == classes::GENERIC_FAST
                && !files.has("tokenizer.json")
                && !files.has("tokenizer.model");
            if !is_lost {
                return found;
            }
        }
        class
            .map(str::to_string)
            .or_else(|| classes::of_model_type(model_type?))
            .unwrap_or_else(|| classes::of_files(files).to_string())
    }

    /// What the user may wonder about: another class than the one that the files name.
    pub fn note(&self, loaded: &Tokenizer) -> Option<String> {
        let (named, model_type) = (self.class.as_deref()?, self.model_type.as_deref()?);
        let class = &loaded.facts.name;
        let is_other = classes::v5_of_model_type(Some(named), model_type) != named && !self.is_own_code;
        (is_other && loaded.facts.release == Release::V5 && class != named).then(|| {
            format!("config.json says {model_type}, for which transformers 5 takes {class}, not {named}")
        })
    }
}
