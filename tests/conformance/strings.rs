//! `golden/strings/*.jsonl.gz`: ids, tokens, offsets and decoded texts of tricky strings.

use std::path::Path;

use maskscope::tokenizer::{FileSet, LoadOptions, Loader, Piece, Release, Tokenizer, load};
use serde_json::{Value, json};

use crate::{assert_checked, files, only, records, root};

/// The tokenizer that a name like `vicuna_v15_legacyT.slow.tf4.37.0` stands for, as the harness loaded it.
pub fn load_named(root: &Path, name: &str) -> maskscope::Result<Tokenizer> {
    let mut parts = name.splitn(3, '.');
    let mut next = || parts.next().expect("TOKENIZER.KIND.tfVERSION");
    let (tokenizer, kind, version) = (next(), next(), next());
    let (release, _) = Release::parse(version.trim_start_matches("tf")).expect("a release");
    let loader = if matches!(kind, "fast" | "LlamaTokenizerFast") { Loader::Fast } else { Loader::Slow };
    let legacies = [("_legacyT", true), ("_legacyF", false)];
    let legacy = legacies.into_iter().find(|(suffix, _)| tokenizer.ends_with(suffix));
    // `NAME_convert` is the fast class made from the slow class's files, so without tokenizer.json.
    let convert = tokenizer.strip_suffix("_convert");
    let dir = convert.or(legacy.and_then(|(suffix, _)| tokenizer.strip_suffix(suffix))).unwrap_or(tokenizer);
    let legacy = legacy.map(|(_, legacy)| legacy);
    let mut files = FileSet::folder(&root.join("tokenizers").join(dir)).expect("the tokenizer's folder");
    if convert.is_some() {
        files = files.without("tokenizer.json");
    }
    load(tokenizer, &files, LoadOptions { loader: Some(loader), legacy, release, split_pattern: None })
}

fn piece(piece: Option<Piece>) -> Value {
    match piece {
        Some(Piece::Text(text)) => json!(text),
        Some(Piece::Bytes(bytes)) => {
            json!({"hex": bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()})
        }
        None => Value::Null,
    }
}

fn actual(tokenizer: &Tokenizer, record: &Value) -> maskscope::Result<Value> {
    let text = record["text"].as_str().expect("a text");
    let encoding = tokenizer.encode(text, true)?;
    let mut result = json!({
        "i": record["i"], "text": text, "ids": encoding.ids,
        "ids_nospecial": tokenizer.encode(text, false)?.ids,
        "tokens": tokenizer.tokens(&encoding).into_iter().map(piece).collect::<Vec<_>>(),
        "decoded": tokenizer.decode(&encoding.ids, false)?,
        "decoded_skip_special": tokenizer.decode(&encoding.ids, true)?,
    });
    if record.get("offsets").is_some() {
        result["offsets"] = json!(tokenizer.char_offsets(text, true)?);
    }
    Ok(result)
}

/// The keys that differ, with both values.
fn difference(expected: &Value, actual: &Value) -> String {
    let keys = expected.as_object().expect("a record").iter().filter(|(key, value)| actual[*key] != **value);
    let lines =
        keys.map(|(key, value)| format!("\n  {key}\n    expected {value}\n    actual   {}", actual[key]));
    format!("{}{}", expected["text"], lines.collect::<String>())
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn strings() {
    check(&root(), &only());
}

/// Small vocabularies of other classes (`tests/scripts/make_tokenizers.py`, recorded by `record_tokenizers.py`), part of
/// the repository and always checked.
#[test]
fn small_tokenizers() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/small"), "");
}

fn check(root: &Path, only: &str) {
    let mut failed = Vec::new();
    let mut checked = 0;
    for path in files(&root.join("golden/strings"), &[".jsonl.gz", ".jsonl"]) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !file.contains(only) {
            continue;
        }
        checked += 1;
        let name = file.trim_start_matches("strings.").trim_end_matches(".gz").trim_end_matches(".jsonl");
        let tokenizer = match load_named(root, name) {
            Ok(tokenizer) => tokenizer,
            Err(e) => {
                failed.push(format!("{name}: {e}"));
                println!("strings {name}: {e}");
                continue;
            }
        };
        let mut wrong = Vec::new();
        let records = records(&path);
        let count = records.len();
        for record in records {
            match actual(&tokenizer, &record) {
                Ok(actual) if actual == record => {}
                Ok(actual) => wrong.push(difference(&record, &actual)),
                Err(e) => wrong.push(format!("{}\n  error    {e}", record["text"])),
            }
        }
        println!("strings {name}: {} of {count}", count - wrong.len());
        if !wrong.is_empty() {
            failed.push(format!("{name}: {} of {count} differ, first:\n  {}", wrong.len(), wrong[0]));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert_checked(checked, root, only);
}
