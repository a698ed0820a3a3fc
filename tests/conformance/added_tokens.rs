//! Random added tokens (flags and all) in random strings, against records of the real Python classes.
//!
//! `MASKSCOPE_ADDED_TOKENS=DIR` names a folder of `RELEASE.jsonl` files, RELEASE being 431, 437 or 523; a record
//! (written by `tests/scripts/random_added_tokens.py`) holds `tok`, `fast`, `legacy`, `adds` (flags, special), `text`, `ids`, `decoded`, `skipped`, `len`.

use std::collections::HashMap;

use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Release, SpecialToken, Tokenizer, load};
use serde_json::{Value, json};

use crate::{files, records, root};

fn with_tokens(base: &Tokenizer, adds: &Value) -> maskscope::Result<Tokenizer> {
    let mut tokenizer = base.clone();
    for add in adds.as_array().expect("a list") {
        let flag = |key: &str| add[0][key].as_bool().unwrap_or(false);
        let token = SpecialToken {
            content: add[0]["content"].as_str().expect("a token").to_string(),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
            normalized: flag("normalized"),
            single_word: flag("single_word"),
            special: false,
            plain_str: false,
        };
        tokenizer.add_tokens(&[token], add[1].as_bool().unwrap_or(false))?;
    }
    Ok(tokenizer)
}

fn actual(tokenizer: &Tokenizer, text: &str) -> maskscope::Result<Value> {
    let ids = tokenizer.encode(text, true)?.ids;
    Ok(json!([ids, tokenizer.decode(&ids, false)?, tokenizer.decode(&ids, true)?, tokenizer.len()]))
}

#[test]
#[ignore = "needs MASKSCOPE_ADDED_TOKENS: records of tests/scripts/random_added_tokens.py"]
fn added_tokens() {
    let dir = std::env::var_os("MASKSCOPE_ADDED_TOKENS").expect("MASKSCOPE_ADDED_TOKENS names a folder");
    let root = root();
    let mut failed = Vec::new();
    for path in files(std::path::Path::new(&dir), &[".jsonl"]) {
        let release = match path.file_stem().and_then(|n| n.to_str()) {
            Some("431") => Release::V4_31,
            Some("437") => Release::V4_37,
            _ => Release::V5,
        };
        let mut loaded: HashMap<String, Tokenizer> = HashMap::new();
        let mut counts: std::collections::BTreeMap<String, (usize, usize, String)> = Default::default();
        for record in records(&path) {
            let name = format!("{} fast={} legacy={}", record["tok"], record["fast"], record["legacy"]);
            let base = loaded.entry(name.clone()).or_insert_with(|| {
                let dir = root.join("tokenizers").join(record["tok"].as_str().expect("a name"));
                let loader = if record["fast"] == json!(true) { Loader::Fast } else { Loader::Slow };
                let options = LoadOptions {
                    loader: Some(loader),
                    legacy: record["legacy"].as_bool(),
                    release,
                    split_pattern: None,
                };
                load("t", &FileSet::folder(&dir).expect("a folder"), options).expect("loads")
            });
            let expected = json!([record["ids"], record["decoded"], record["skipped"], record["len"]]);
            let actual = with_tokens(base, &record["adds"])
                .and_then(|t| actual(&t, record["text"].as_str().expect("a text")));
            let count = counts.entry(name).or_default();
            count.1 += 1;
            match actual {
                Ok(actual) if actual == expected => count.0 += 1,
                other if count.2.is_empty() => count.2 = format!("{record}\n  actual {other:?}"),
                _ => {}
            }
        }
        for (name, (right, all, first)) in counts {
            println!("added tokens {} {name}: {right} of {all}", release.name());
            if right != all {
                failed.push(format!("{} {name}: {right} of {all}, first wrong:\n  {first}", release.name()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
