//! Chat templates that TRL 1.16 replaces by a training variant when only answers are to be supervised.
//!
//! TRL knows a template by its exact text. `data/trl_templates.json` holds for each the SHA-256 of that text and what its
//! training variant changes in it, as (byte, bytes removed, text put in); comments at the head are left out.

use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Debug, Deserialize)]
struct Variant {
    sha256: String,
    edits: Vec<(usize, usize, String)>,
}

static VARIANTS: LazyLock<Vec<Variant>> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/trl_templates.json")).unwrap_or_default());

/// The training variant of a template; `None` for a template that TRL does not know.
pub fn training_template(source: &str) -> Option<String> {
    let digest: String = Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let variant = VARIANTS.iter().find(|variant| variant.sha256 == digest)?;
    let (mut out, mut at) = (String::new(), 0);
    for (start, removed, text) in &variant.edits {
        out.push_str(source.get(at..*start)?);
        out.push_str(text);
        at = start + removed;
    }
    out.push_str(source.get(at..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_strangers_are_not_in_it() {
        assert_eq!(VARIANTS.len(), 31);
        assert_eq!(training_template("{{ messages }}"), None);
    }
}
