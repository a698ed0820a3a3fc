//! `golden/labels/collator.*`: batches through the collator.

use std::collections::{BTreeMap, HashMap};

use maskscope::chat::{Sample, Template, read_samples};
use maskscope::labels::{IGNORE_INDEX, Labelled, PromptOptions, Rule, collate, inspect};
use maskscope::setup::apply;
use maskscope::tokenizer::{FileSet, LoadOptions, Release, Tokenizer, load};
use serde_json::{Value, json};

use crate::labels::overrides;
use crate::{assert_checked, files, records, root};

/// The goldens name tokenizers, not folders: a suffix says which joining the Llama class had.
fn load_named(root: &std::path::Path, name: &str, release: &str) -> Tokenizer {
    let (folder, legacy) = match name.rsplit_once("_legacy") {
        Some((folder, flag)) => (folder, Some(flag == "T")),
        None => (name, None),
    };
    let files = FileSet::folder(&root.join("tokenizers").join(folder)).expect("the tokenizer's folder");
    let (release, _) = Release::parse(release).expect("a release");
    load(name, &files, LoadOptions { legacy, release, ..LoadOptions::default() }).expect("loads")
}

fn spans(labels: &[i64]) -> Vec<[usize; 2]> {
    let mut spans: Vec<[usize; 2]> = Vec::new();
    for i in (0..labels.len()).filter(|i| labels[*i] != IGNORE_INDEX) {
        match spans.last_mut() {
            Some(last) if last[1] == i => last[1] = i + 1,
            _ => spans.push([i, i + 1]),
        }
    }
    spans
}

/// Positions without attention, in the goldens' two notations.
fn zeros(mask: &[bool], like: &Value) -> Value {
    let zeros: Vec<usize> = (0..mask.len()).filter(|i| !mask[*i]).collect();
    if like.is_object() {
        let contiguous =
            zeros.windows(2).all(|w| w[1] == w[0] + 1) && zeros.last() == Some(&(mask.len() - 1));
        json!({"first": zeros.first(), "count": zeros.len(), "contiguous_tail": contiguous})
    } else {
        json!(zeros)
    }
}

#[test]
#[ignore = "needs MASKSCOPE_CONFORMANCE: an unpacked golden folder"]
fn collator() {
    let root = root();
    let dir = root.join("golden/labels");
    let samples: HashMap<String, Sample> = read_samples(&dir.join("conversations.json"), None)
        .expect("the samples")
        .samples
        .into_iter()
        .map(|s| (s.id.clone(), s))
        .collect();
    let mut tokenizers: BTreeMap<String, Tokenizer> = BTreeMap::new();
    let mut checked = 0;
    for path in files(&dir, &[".jsonl.gz", ".jsonl"]) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !file.starts_with("collator.") {
            continue;
        }
        let mut count = 0;
        for record in records(&path) {
            let text = |key: &str| record[key].as_str().unwrap();
            let key = format!("{} {} {}", text("tokenizer"), text("transformers_version"), text("overrides"));
            let tokenizer = tokenizers.entry(key).or_insert_with(|| {
                let base = load_named(&root, text("tokenizer"), text("transformers_version"));
                apply(&base, &overrides(text("tokenizer"), text("overrides"))).expect("applies").0
            });
            let template = Template::named(text("template")).expect("the template");
            let options = PromptOptions::default();
            let labelled: Vec<Labelled> = record["batch"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| {
                    let sample = &samples[id.as_str().unwrap()];
                    let rule = Rule::dispatch(&template);
                    inspect(tokenizer, &template, rule, &options, sample).result.expect("labels")
                })
                .collect();
            let batch = collate(tokenizer, &labelled.iter().collect::<Vec<_>>(), options.model_max_length);
            let batch = batch.expect("collates");
            assert_eq!(json!(batch.input_ids), record["input_ids"], "{file} {}", record["batch"]);
            let supervised: Vec<_> = batch.labels.iter().map(|l| spans(l)).collect();
            assert_eq!(json!(supervised), record["supervised"], "{file} {}", record["batch"]);
            for (mask, expected) in
                batch.attention_mask.iter().zip(record["attention_zero"].as_array().unwrap())
            {
                assert_eq!(&zeros(mask, expected), expected, "{file} {}", record["batch"]);
            }
            count += 1;
        }
        println!("collator  {file}: {count} of {count}");
        checked += count;
    }
    assert_checked(checked, &dir.join("collator.*"), "");
}
