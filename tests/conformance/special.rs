//! `golden/special_tokens.json.gz` and `golden/loads.json.gz`: special-token tables as loaded, and after overrides.

use maskscope::setup::apply;
use maskscope::tokenizer::{Release, SpecialToken, SpecialTokenTable, TokenId, Tokenizer};
use serde_json::{Value, json};

use crate::labels::{load_for, overrides_of};
use crate::strings::load_named;
use crate::{assert_checked, only, read_text, root};

/// The harness keeps this many added tokens at most.
const ADDED_TOKENS_SHOWN: usize = 400;

fn added_token((id, token): &(TokenId, SpecialToken), release: Release) -> Value {
    if release == Release::V4_31 {
        return json!({"id": id, "content": token.content});
    }
    json!({
        "id": id, "content": token.content, "lstrip": token.lstrip, "rstrip": token.rstrip,
        "normalized": token.normalized, "single_word": token.single_word, "special": token.special,
    })
}

/// The table in the layout of the goldens.
fn golden_form(table: &SpecialTokenTable, release: Release) -> Value {
    let added: &[_] = if table.has_added_tokens_table { &table.added_tokens } else { &[] };
    let shown: Vec<Value> = added.iter().take(ADDED_TOKENS_SHOWN).map(|t| added_token(t, release)).collect();
    let mut form = json!({
        "additional_special_tokens": table.additional_special_tokens,
        "padding_side": table.padding_side.name(), "truncation_side": table.truncation_side.name(),
        "vocab_size": table.vocab_size, "is_fast": table.is_fast, "legacy": table.legacy,
        "add_bos_token": table.add_bos_token, "add_eos_token": table.add_eos_token,
        "add_prefix_space": table.add_prefix_space,
        "clean_up_tokenization_spaces": table.clean_up_tokenization_spaces,
        "len": table.len, "class": table.class, "added_tokens": shown, "n_added_tokens": added.len(),
    });
    for (role, token) in &table.roles {
        form[role.attribute()] = json!(token.as_ref().map(|t| &t.content));
        form[format!("{}_id", role.attribute())] = json!(token.as_ref().and_then(|t| t.id));
    }
    form
}

/// The keys on which the tokenizer's table differs from the golden.
fn differences(tokenizer: &Tokenizer, golden: &Value) -> Vec<String> {
    let actual = golden_form(&tokenizer.special_token_table(), tokenizer.facts.release);
    let mut wrong = Vec::new();
    for (key, expected) in golden.as_object().expect("a table") {
        match key.as_str() {
            "backend_version" => {}
            // Larger than 64 bits: compared as a number, which is exact enough for int(1e30) and below 2^53.
            "model_max_length" => {
                if expected.as_f64() != Some(tokenizer.facts.model_max_length as f64) {
                    wrong.push(format!("{key}: {expected} / {}", tokenizer.facts.model_max_length));
                }
            }
            _ if actual.get(key) == Some(expected) => {}
            _ => wrong.push(format!("{key}: {expected:.300} / {:.300}", actual[key])),
        }
    }
    wrong
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn special_tokens() {
    let root = root();
    let only = only();
    let path = root.join("golden/special_tokens.json.gz");
    let tables: Value = serde_json::from_str(&read_text(&path)).expect("JSON");
    let tables = tables.as_object().expect("an object");
    let mut failed = Vec::new();
    let mut count = 0;
    for (name, golden) in tables.iter().filter(|(n, _)| n.contains(&only)) {
        count += 1;
        match (load_named(&root, name), golden.get("error")) {
            (Err(_), Some(_)) => {}
            // What an old release cannot load we load all the same, but say so.
            (Ok(tokenizer), Some(_)) if !tokenizer.notes.is_empty() => {}
            (Ok(_), Some(error)) => {
                failed.push(format!("{name}: Python raises {error}, we load it silently"))
            }
            (Err(e), None) => failed.push(format!("{name}: {e}")),
            (Ok(tokenizer), None) => {
                let wrong = differences(&tokenizer, golden);
                if !wrong.is_empty() {
                    failed.push(format!("{name}: {}", wrong.join("; ")));
                }
            }
        }
    }
    println!("special tokens: {} of {count} wrong", failed.len());
    assert_checked(count, &path, &only);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn loads() {
    let root = root();
    let only = only();
    let path = root.join("golden/loads.json.gz");
    let records: Value = serde_json::from_str(&read_text(&path)).expect("JSON");
    let mut failed = Vec::new();
    let mut count = 0;
    for record in records.as_array().expect("an array") {
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        let name = format!(
            "{}.{}.tf{} {}",
            text("tokenizer"),
            text("slow_fast"),
            text("transformers_version"),
            text("overrides")
        );
        if !name.contains(&only) || record.get("error").is_some() {
            continue;
        }
        count += 1;
        let base = load_for(&root, record);
        let (mut tokenizer, _) = apply(&base, &overrides_of(&base, record)).expect("the overrides apply");
        // The training code passes these two to the loader.
        tokenizer.facts.model_max_length = 2048;
        tokenizer.facts.padding_side = maskscope::tokenizer::PaddingSide::Right;
        let wrong = differences(&tokenizer, &record["table"]);
        if !wrong.is_empty() {
            failed.push(format!("{name}: {}", wrong.join("; ")));
        }
    }
    println!("loads: {} of {count} wrong", failed.len());
    assert_checked(count, &path, &only);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
