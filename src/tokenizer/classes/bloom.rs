//! `BloomTokenizer`: a fast class only.

use serde_json::{Value, json};

use super::python_class::{AttributeScope, BASE, PythonClass};
use super::v5_class::{BACKEND, V5Class};
use crate::error::Result;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::release::Release;
use crate::tokenizer::special::Role;
use crate::tokenizer::steps::{describe, part};

pub const BLOOM: PythonClass = PythonClass {
    name: "BloomTokenizer",
    model_types: &["bloom"],
    tokens: TokenDefaults {
        roles: &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")],
        ..TokenDefaults::NONE
    },
    attributes: [AttributeScope::Neither, AttributeScope::Neither, AttributeScope::Both],
    clean_up_tokenization_spaces: false,
    change_fast,
    v5: V5Class { name: Some(BACKEND), ..V5Class::BASE },
    ..BASE
};

/// From 4.37 on a true `add_prefix_space` holds for every step inside the pre-tokenizer.
fn change_fast(parts: &mut CoreParts, arguments: &InitArguments, release: Release) -> Result<()> {
    let prefix = arguments.flag("add_prefix_space").unwrap_or(false);
    if let (Some(before), true, true) = (&parts.pre_tokenizer, prefix, release != Release::V4_31) {
        let mut described = describe(before)?;
        set_everywhere(&mut described, "add_prefix_space");
        parts.pre_tokenizer = part(described)?;
    }
    Ok(())
}

/// Makes a key true in a step and in those inside it.
fn set_everywhere(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| match (name == key, &value) {
            (true, Value::Bool(_)) => *value = json!(true),
            _ => set_everywhere(value, key),
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| set_everywhere(item, key)),
        _ => {}
    }
}
