//! What the steps of a `tokenizer.json` must hold to before the library reads them.
//!
//! tokenizers 0.23.2 panics on these when it reads or runs them: compiled rules that are cut short, a pattern that
//! is an empty text, words of length 0, a template with a special token that it does not define or with the second text
//! where there is one only. A template may also repeat the text as often as it likes.

use std::path::Path;

use base64::Engine;
use serde_json::Value;

use super::charsmap::CharsMap;
use crate::error::{Error, Result};

/// Steps of a pipeline, those inside of sequences counted; real ones have a dozen.
const MOST_STEPS: usize = 256;
/// How often a post-processor may repeat the text, and pieces of a template.
const MOST_COPIES: usize = 16;
const MOST_PIECES: usize = 4096;

/// Names under which a sequence lists its steps.
const LISTS: [&str; 4] = ["normalizers", "pretokenizers", "processors", "decoders"];

/// Refuses a step, or a sequence of them, that the library would panic on.
///
/// # Errors
/// What is wrong with it.
pub fn check(step: &Value, path: &Path) -> Result<()> {
    let mut steps = Vec::new();
    list_steps(step, &mut steps);
    if steps.len() > MOST_STEPS {
        return Err(Error::format(
            path,
            format!("a pipeline of {} steps ({MOST_STEPS} are the most)", steps.len()),
        ));
    }
    let mut copies = 1usize;
    for step in steps {
        check_one(step).map_err(|message| Error::format(path, message))?;
        check_rules(step, path)?;
        copies = copies.saturating_mul(check_template(step).map_err(|message| Error::format(path, message))?);
        if copies > MOST_COPIES {
            return Err(Error::format(
                path,
                format!("its post-processor repeats the text more than {MOST_COPIES} times"),
            ));
        }
    }
    Ok(())
}

fn list_steps<'v>(step: &'v Value, steps: &mut Vec<&'v Value>) {
    steps.push(step);
    for list in LISTS {
        for inner in step.get(list).and_then(Value::as_array).into_iter().flatten() {
            list_steps(inner, steps);
        }
    }
}

fn check_one(step: &Value) -> std::result::Result<(), String> {
    let kind = step.get("type").and_then(Value::as_str).unwrap_or("");
    let pattern =
        step.get("pattern").and_then(|p| p.get("String").or(p.get("Regex"))).and_then(Value::as_str);
    if pattern.is_some_and(str::is_empty) {
        return Err(format!("the pattern of a step ({kind}) is empty"));
    }
    if kind == "FixedLength" && step.get("length").is_some_and(|length| length.as_u64() == Some(0)) {
        return Err("a step FixedLength has length 0".to_string());
    }
    Ok(())
}

/// Refuses compiled normalisation rules that are cut short or point outside themselves.
fn check_rules(step: &Value, path: &Path) -> Result<()> {
    let Some(rules) = step.get("precompiled_charsmap") else { return Ok(()) };
    let broken = |what: &str| Error::format(path, format!("the normalisation rules are broken ({what})"));
    let text = rules.as_str().ok_or_else(|| broken("they are no text"))?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| broken(&e.to_string()))?;
    match CharsMap::read(&bytes, path)?.is_usable() {
        true => Ok(()),
        false => Err(broken("they point outside themselves")),
    }
}

/// How often a template repeats the text.
fn check_template(step: &Value) -> std::result::Result<usize, String> {
    if step.get("type").and_then(Value::as_str) != Some("TemplateProcessing") {
        return Ok(1);
    }
    let defined = step.get("special_tokens").and_then(Value::as_object);
    let mut copies = 0;
    for (list, texts) in [("single", 1), ("pair", 2)] {
        let pieces = step.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if pieces.len() > MOST_PIECES {
            return Err(format!("a template of {} pieces ({MOST_PIECES} are the most)", pieces.len()));
        }
        for piece in pieces {
            let id = |kind: &str| piece.get(kind).and_then(|p| p.get("id")).and_then(Value::as_str);
            match (id("SpecialToken"), id("Sequence")) {
                (Some(token), _) if !defined.is_some_and(|tokens| tokens.contains_key(token)) => {
                    return Err(format!(
                        "the template names the special token {token:?}, which it does not define"
                    ));
                }
                (None, Some("B")) if texts == 1 => {
                    return Err("the template of one text asks for a second one".to_string());
                }
                (None, Some(_)) if texts == 1 => copies += 1,
                _ => {}
            }
        }
    }
    Ok(copies.max(1))
}
