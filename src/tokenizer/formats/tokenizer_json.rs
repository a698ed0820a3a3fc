//! `tokenizer.json`: the whole pipeline in one file.

use std::path::Path;

use base64::Engine;
use serde_json::Value;

use super::charsmap::CharsMap;
use crate::error::{Error, Result};
use crate::tokenizer::core::{AddedTokenWithId, Core, CoreParts};

/// Reads a `tokenizer.json` (merges as strings or as pairs).
pub fn read(bytes: &[u8], path: &Path) -> Result<CoreParts> {
    let parts: CoreParts = serde_json::from_slice(bytes).map_err(|e| Error::json(path, &e))?;
    check_rules(&serde_json::to_value(&parts.normalizer).unwrap_or_default(), path)?;
    Ok(parts)
}

/// Refuses compiled normalisation rules that point outside themselves.
fn check_rules(normalizer: &Value, path: &Path) -> Result<()> {
    for step in normalizer.get("normalizers").and_then(Value::as_array).into_iter().flatten() {
        check_rules(step, path)?;
    }
    let Some(rules) = normalizer.get("precompiled_charsmap").and_then(Value::as_str) else { return Ok(()) };
    let rules = base64::engine::general_purpose::STANDARD.decode(rules).unwrap_or_default();
    match CharsMap::read(&rules, path)?.is_sound() {
        true => Ok(()),
        false => Err(Error::format(path, "the normalisation rules are broken")),
    }
}

/// Adds the file's tokens in its order, in runs of special and ordinary ones (as the library's own reader does).
pub fn add_tokens(core: &mut Core, tokens: Vec<AddedTokenWithId>) -> Result<()> {
    for run in tokens.chunk_by(|a, b| a.token.special == b.token.special) {
        let special = run.first().is_some_and(|t| t.token.special);
        let run = run.iter().map(|t| t.token.clone());
        let added = if special { core.add_special_tokens(run) } else { core.add_tokens(run) };
        added.map_err(|e| Error::Encode(e.to_string()))?;
    }
    Ok(())
}

/// True where merges are written as pairs, `[["a", "b"], …]`, which tokenizers before 0.20 cannot read.
pub fn merges_are_pairs(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"\"merges\"";
    let Some(at) = bytes.windows(KEY.len()).position(|w| w == KEY) else { return false };
    let rest = bytes.iter().skip(at + KEY.len()).filter(|b| !b.is_ascii_whitespace());
    rest.take(3).copied().eq(*b":[[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_from_strings() {
        assert!(merges_are_pairs(br#"{"model": {"merges": [ ["a", "b"]]}}"#));
        assert!(!merges_are_pairs(br#"{"model": {"merges": ["a b"]}}"#));
        assert!(!merges_are_pairs(b"{}"));
    }
}
