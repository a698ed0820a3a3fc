//! What the fast classes of 4.x change in the pipeline of their `tokenizer.json`, because the configuration says otherwise.
//!
//! The classes look at the description of a step, as the file writes it, and put another in its place where it differs.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::class::Release;
use super::config::InitArguments;
use super::convert::part;
use super::core::CoreParts;
use super::loaded::{Engine, Tokenizer};
use super::profile::{FastChange, Profile};
use crate::error::{Error, Result};

/// Changes the parts as the class does.
pub(super) fn apply(
    profile: &Profile,
    parts: &mut CoreParts,
    arguments: &InitArguments,
    release: Release,
) -> Result<()> {
    let prefix = arguments.flag("add_prefix_space").unwrap_or(false);
    match profile.fast_change {
        FastChange::Nothing | FastChange::BosAndEos => Ok(()),
        FastChange::PrefixSpace => change(&mut parts.pre_tokenizer, &[("add_prefix_space", json!(prefix))]),
        FastChange::PrefixSpaceAnywhere if prefix && release != Release::V4_31 => {
            everywhere(&mut parts.pre_tokenizer, "add_prefix_space")
        }
        FastChange::PrefixSpaceAnywhere => Ok(()),
        FastChange::PrefixSpaceAndTrim => {
            change(&mut parts.pre_tokenizer, &[("add_prefix_space", json!(prefix))])?;
            let trim = arguments.flag("trim_offsets").unwrap_or(true);
            let wanted = [("add_prefix_space", json!(prefix)), ("trim_offsets", json!(trim))];
            change(&mut parts.post_processor, &wanted)
        }
        FastChange::BertNormalizer => {
            let flag = |key: &str| arguments.flag(key).unwrap_or(true);
            let wanted = [
                ("lowercase", json!(flag("do_lower_case"))),
                ("strip_accents", json!(arguments.flag("strip_accents"))),
                ("handle_chinese_chars", json!(flag("tokenize_chinese_chars"))),
            ];
            change(&mut parts.normalizer, &wanted)
        }
    }
}

impl Tokenizer {
    /// `tokenizer._tokenizer.post_processor = …`: another template around the ids of a text.
    ///
    /// # Errors
    /// [`Error::Usage`] for a description that is none, and for slow classes, which have no such step.
    pub fn set_post_processor(&mut self, description: Value) -> Result<()> {
        let first = description.get("single").and_then(|pieces| pieces.get(0));
        let begins_special = first.is_some_and(|piece| piece.get("SpecialToken").is_some());
        let processor = part::<tokenizers::PostProcessorWrapper>(description)?;
        let Engine::Fast(core) = &mut self.engine else {
            return Err(Error::Usage(format!("{} has no post-processor", self.facts.name)));
        };
        core.with_post_processor(processor);
        self.facts.adds_bos = begins_special;
        Ok(())
    }
}

/// Sets keys of a step that has them.
fn change<T: Serialize + DeserializeOwned>(step: &mut Option<T>, wanted: &[(&str, Value)]) -> Result<()> {
    let Some(before) = step.as_ref() else { return Ok(()) };
    let mut described = describe(before)?;
    let mut changed = false;
    for (key, value) in wanted {
        if let Some(slot) = described.get_mut(key).filter(|slot| *slot != value) {
            *slot = value.clone();
            changed = true;
        }
    }
    if changed {
        *step = part(described)?;
    }
    Ok(())
}

/// Makes a key true in a step and in those inside it.
fn everywhere<T: Serialize + DeserializeOwned>(step: &mut Option<T>, key: &str) -> Result<()> {
    let Some(before) = step.as_ref() else { return Ok(()) };
    let mut described = describe(before)?;
    set(&mut described, key);
    *step = part(described)?;
    Ok(())
}

fn set(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| match (name == key, &value) {
            (true, Value::Bool(_)) => *value = json!(true),
            _ => set(value, key),
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| set(item, key)),
        _ => {}
    }
}

fn describe<T: Serialize>(step: &T) -> Result<Value> {
    serde_json::to_value(step)
        .map_err(|e| Error::Usage(format!("a step of the pipeline cannot be read: {e}")))
}
