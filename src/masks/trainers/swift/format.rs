//! ms-swift's own conversation formats: what is written around messages, by the name of the type.
//!
//! `data/swift_templates.json` holds them. A piece is a text with places such as `{{QUERY}}`, or ids: numbers, or names of
//! tokenizer attributes such as `eos_token_id`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::chat::jinja::Clock;
use crate::masks::MaskError;
use crate::masks::encoder::Encoder;
use crate::tokenizer::TokenId;

/// A text, or ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwiftContext {
    Text(String),
    Ids(Vec<TokenId>),
}

impl SwiftContext {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Ids(_) => None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(TokenId),
    Attribute(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Piece {
    Text(String),
    Ids(Vec<Id>),
}

/// Which of swift's template classes encodes the type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    #[default]
    Base,
    /// The system text goes in front of the first message; newlines around answers are stripped.
    Gemma3,
    /// A block for "no thinking" is only opened behind a user.
    #[serde(rename = "deepseek_v3_1")]
    DeepseekV31,
}

/// An entry of the table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    name: String,
    prefix: Vec<Piece>,
    system_prefix: Option<Vec<Piece>>,
    prompt: Vec<Piece>,
    system_prompt: Option<Vec<Piece>>,
    chat_sep: Option<Vec<Piece>>,
    suffix: Option<Vec<Piece>>,
    default_system: Option<String>,
    auto_add_bos: bool,
    stop_words: Vec<String>,
    agent_template: Option<String>,
    is_thinking: bool,
    thinking_prefix: String,
    non_thinking_prefix: String,
    preserve_thinking: Option<bool>,
    history_thinking_prefix: String,
    variant: Variant,
}

static TABLE: LazyLock<Vec<Entry>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/swift_templates.json")).unwrap_or_default());

/// A type with the ids of one tokenizer.
#[derive(Debug, Clone)]
pub struct SwiftFormat {
    pub name: String,
    pub prefix: Vec<SwiftContext>,
    /// In place of `prefix` where there is a system text.
    pub system_prefix: Option<Vec<SwiftContext>>,
    pub prompt: Vec<SwiftContext>,
    /// In place of the last round's `prompt`, for types that write the system text there.
    pub system_prompt: Option<Vec<SwiftContext>>,
    /// Between rounds; `None` for types of one round.
    pub chat_sep: Option<Vec<SwiftContext>>,
    pub suffix: Vec<SwiftContext>,
    pub default_system: Option<String>,
    pub auto_add_bos: bool,
    /// Texts at the end of an answer behind which no suffix is written.
    pub stop_words: Vec<String>,
    pub agent_template: Option<String>,
    pub is_thinking: bool,
    /// What opens an answer that thinks, where the answer itself is still to come.
    pub thinking_prefix: String,
    pub non_thinking_prefix: String,
    pub preserve_thinking: Option<bool>,
    pub history_thinking_prefix: String,
    pub variant: Variant,
}

impl SwiftFormat {
    /// The names of all types.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|entry| entry.name.as_str())
    }

    /// The type of a name, for a tokenizer; `plain` is the variant without a chat format, which swift uses with
    /// `use_chat_template` off.
    ///
    /// # Errors
    /// An unknown name.
    pub fn load(
        name: &str,
        plain: bool,
        encoder: &dyn Encoder,
        eos: Option<&str>,
        clock: Clock,
    ) -> Result<Self, MaskError> {
        let entry = TABLE.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            MaskError::Unfit(format!("no ms-swift template {name:?} is known here; known are {known}"))
        })?;
        let plain_entry;
        let entry = if plain {
            plain_entry = Entry {
                name: entry.name.clone(),
                prompt: vec![Piece::Text("{{QUERY}}".into())],
                auto_add_bos: true,
                stop_words: entry.stop_words.clone(),
                variant: entry.variant,
                ..Entry::default()
            };
            &plain_entry
        } else {
            entry
        };
        let date = clock.strftime("%d %b %Y");
        let ids = |pieces: &[Piece]| resolve(pieces, encoder, &date);
        let suffix = match &entry.suffix {
            Some(suffix) => ids(suffix),
            None => vec![SwiftContext::Ids(encoder.eos_id().into_iter().collect())],
        };
        let mut stop_words = entry.stop_words.clone();
        if let Some(SwiftContext::Text(stop)) = suffix.last() {
            stop_words.push(stop.trim_matches(crate::python::is_python_space).to_string());
        }
        stop_words.extend(eos.map(ToString::to_string));
        stop_words.retain(|word| !word.is_empty());
        let (mut prefix, mut system_prefix) = (ids(&entry.prefix), entry.system_prefix.as_deref().map(ids));
        if prefix.iter().any(|context| context.text().is_some_and(|text| text.contains(SYSTEM))) {
            system_prefix = Some(prefix.clone());
            for context in &mut prefix {
                if let SwiftContext::Text(text) = context {
                    *text = text.replace(SYSTEM, "");
                }
            }
        }
        Ok(Self {
            name: entry.name.clone(),
            prefix,
            system_prefix,
            prompt: ids(&entry.prompt),
            system_prompt: entry.system_prompt.as_deref().map(ids),
            chat_sep: entry.chat_sep.as_deref().map(ids),
            suffix,
            default_system: entry.default_system.clone(),
            auto_add_bos: entry.auto_add_bos,
            stop_words,
            agent_template: entry.agent_template.clone(),
            is_thinking: entry.is_thinking,
            thinking_prefix: entry.thinking_prefix.clone(),
            non_thinking_prefix: entry.non_thinking_prefix.clone(),
            preserve_thinking: entry.preserve_thinking,
            history_thinking_prefix: entry.history_thinking_prefix.clone(),
            variant: entry.variant,
        })
    }

    /// `check_system`: a system text needs a place.
    ///
    /// # Errors
    /// `AssertionError`.
    pub fn check_system(&self, system: Option<&str>) -> Result<(), MaskError> {
        match system {
            Some(system) if self.system_prefix.is_none() && self.system_prompt.is_none() => {
                let name = &self.name;
                Err(MaskError::python(
                    "AssertionError",
                    format!(
                        "The template does not support `system`, template_type: {name}, system: {system}"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The place of the system text.
pub const SYSTEM: &str = "{{SYSTEM}}";

fn resolve(pieces: &[Piece], encoder: &dyn Encoder, date: &str) -> Vec<SwiftContext> {
    let id = |id: &Id| match id {
        Id::Number(number) => Some(*number),
        Id::Attribute(name) => match name.as_str() {
            "bos_token_id" => encoder.bos_id(),
            "eos_token_id" => encoder.eos_id(),
            "pad_token_id" => encoder.pad_id(),
            _ => None,
        },
    };
    let context = |piece: &Piece| match piece {
        Piece::Text(text) => SwiftContext::Text(text.replace("{{DATE}}", date)),
        Piece::Ids(ids) => SwiftContext::Ids(ids.iter().filter_map(id).collect()),
    };
    pieces.iter().map(context).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        assert!(SwiftFormat::names().count() > 70);
        assert!(SwiftFormat::names().any(|name| name == "qwen3"));
    }
}
