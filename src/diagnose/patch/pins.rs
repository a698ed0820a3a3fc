//! A pytest that pins ids, labels and lengths of three conversations.

use super::python::{python_list, python_string};
use super::tokens::{TokenLines, tokenizer_lines};
use crate::chat::{Sample, Turn};
use crate::diagnose::delta_fit::conversation;
use crate::labelling::LlavaLabelling;
use crate::labels::{IMAGE_TOKEN_INDEX, multimodal};
use crate::setup::LlavaSetup;
use crate::tokenizer::Loader;

/// The conversations that are pinned: text of one and of three rounds, an image with two.
pub fn pinned() -> [Sample; 3] {
    [conversation(1, false), conversation(3, false), conversation(2, true)]
}

/// The turns as the data set hands them to the function: `preprocess_multimodal` has been there before.
fn turns_of(sample: &Sample, setup: &LlavaSetup) -> Vec<Turn> {
    let LlavaLabelling { template, options, .. } = &setup.labelling;
    let rewritten = sample.has_image.then(|| multimodal::rewrite(&sample.conversations, template, options));
    rewritten.and_then(Result::ok).unwrap_or_else(|| sample.conversations.clone())
}

/// True where the set-up leaves labels in at least one of the pinned conversations.
pub fn pins_are_supervised(setup: &LlavaSetup) -> bool {
    pinned().iter().any(|sample| setup.inspect(sample).status().is_sound())
}

/// Where a repository keeps what its test runs. Files from the root.
#[derive(Debug, Clone, Copy)]
pub struct RepositoryTest<'a> {
    pub entry: &'a str,
    pub dispatch: &'a str,
    /// The script that makes the tokenizer; the dispatch's own file without one.
    pub script: Option<&'a str>,
    pub library: &'a str,
    pub registry: &'a str,
    pub default: &'a str,
    pub script_arguments: &'a [(String, String)],
}

/// The test of a patched repository: its own set-up lines and functions are run on the pinned conversations.
pub fn repository_pytest(setup: &LlavaSetup, name: &str, test: &RepositoryTest<'_>) -> String {
    let arguments = test.script_arguments.iter().map(|(name, value)| {
        let is_literal = matches!(value.as_str(), "True" | "False" | "None") || value.parse::<f64>().is_ok();
        let value = if is_literal { value.clone() } else { python_string(value) };
        format!("{}: {value}", python_string(name))
    });
    let values = [
        ("CASES", cases(setup)),
        ("MAX_LENGTH", setup.labelling.options.model_max_length.to_string()),
        ("NAME", name.to_string()),
        ("VERSION", python_string(name)),
        ("ARGUMENTS", format!("{{{}}}", arguments.collect::<Vec<_>>().join(", "))),
        ("SCRIPT", python_string(test.script.unwrap_or(test.entry))),
        ("LIBRARY", python_string(test.library)),
        ("ENTRY", python_string(test.entry)),
        ("DISPATCH", test.dispatch.to_string()),
        ("REGISTRY", test.registry.to_string()),
        ("DEFAULT", test.default.to_string()),
    ];
    fill(REPOSITORY_TEST, &values)
}

/// The pinned conversations with what the set-up makes of them.
fn cases(setup: &LlavaSetup) -> String {
    let mut cases = String::new();
    for sample in pinned() {
        let Ok(labelled) = setup.inspect(&sample).result else { continue };
        let turns = turns_of(&sample, setup);
        let turns = turns.iter().map(|turn| {
            let (from, value) = (python_string(&turn.from), python_string(&turn.value));
            format!("            {{\"from\": {from}, \"value\": {value}}},\n")
        });
        cases += &format!(
            "    dict(\n        has_image={},\n        length={},\n        turns=[\n{}        ],\n        input_ids={},\n        \
             labels={},\n    ),\n",
            if sample.has_image { "True" } else { "False" },
            labelled.input_ids.len(),
            turns.collect::<String>(),
            python_list(&labelled.input_ids),
            python_list(&labelled.labels),
        );
    }
    cases
}

/// The test file for a repository that is not named. Where it cannot load the tokenizer it says so and is skipped.
pub fn pytest(setup: &LlavaSetup, name: &str, tokens: &TokenLines) -> String {
    let set_up =
        tokenizer_lines(setup, tokens).lines().map(|line| format!("    {line}\n")).collect::<String>();
    let template = setup.labelling.template.sep2.as_deref().unwrap_or("");
    let facts = &setup.tokenizer.facts;
    let values = [
        ("SETUP", set_up),
        ("CASES", cases(setup)),
        ("MAX_LENGTH", setup.labelling.options.model_max_length.to_string()),
        ("SEP2", python_string(template)),
        ("IMAGE_INDEX", IMAGE_TOKEN_INDEX.to_string()),
        ("FAST", if facts.loader == Loader::Fast { "True" } else { "False" }.to_string()),
        ("REMOTE", if facts.can_add_tokens { "" } else { REMOTE }.to_string()),
        ("NAME", name.to_string()),
    ];
    fill(TEST, &values)
}

/// Puts values in the places of `@KEY@`, in one pass: a value that looks like a place is left as it is.
fn fill(text: &str, values: &[(&str, String)]) -> String {
    let parts = text.split('@').map(|part| {
        let value = values.iter().find(|(key, _)| *key == part).map(|(_, value)| value.as_str());
        // A decorator's sign is no place.
        value.map_or((part, false), |value| (value, true))
    });
    let mut filled = String::new();
    let mut after_value = true;
    for (part, is_value) in parts {
        if !(after_value || is_value) {
            filled.push('@');
        }
        filled.push_str(part);
        after_value = is_value;
    }
    filled
}

/// Classes with a closed list come as code in the model's repository: whether to run it is for the user to say.
const REMOTE: &str = ",\n        # this class comes as code in its repository: TRUST_REMOTE_CODE=1 allows it to run\n        \
                      trust_remote_code=os.environ.get(\"TRUST_REMOTE_CODE\") == \"1\",";

const REPOSITORY_TEST: &str = include_str!("repository_test.py");

const TEST: &str = r#""""Pins what preprocess_@NAME@ makes of three conversations (set TOKENIZER to the model's folder or name)."""
import os

import pytest

train = pytest.importorskip("moellava.train.train")
conversation_lib = pytest.importorskip("moellava.conversation")
IMAGE_ID = @IMAGE_INDEX@

CASES_OF_@NAME@ = [
@CASES@]


@pytest.fixture(scope="module")
def tokenizer():
    place = os.environ.get("TOKENIZER")
    if not place:
        pytest.skip("TOKENIZER is not set")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        place, model_max_length=@MAX_LENGTH@, padding_side="right", use_fast=@FAST@@REMOTE@
    )
@SETUP@    return tokenizer


@pytest.mark.parametrize("case", CASES_OF_@NAME@)
def test_labels(tokenizer, case, monkeypatch):
    supervised = [label for case in CASES_OF_@NAME@ for label in case["labels"] if label != -100]
    assert supervised, "these pins hold no supervised token: the set-up they were made with loses every sample"
    template = conversation_lib.conv_templates["@NAME@"]
    assert template.sep2 == @SEP2@
    monkeypatch.setattr(conversation_lib, "default_conversation", template)
    result = train.preprocess_@NAME@([case["turns"]], tokenizer, has_image=case["has_image"])
    assert result["input_ids"][0].tolist() == case["input_ids"]
    assert result["labels"][0].tolist() == case["labels"]
    assert len(case["input_ids"]) == case["length"]
    assert case["input_ids"].count(IMAGE_ID) == int(case["has_image"])
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once_and_decorators_stay() {
        let values = [("A", "@B@".to_string()), ("B", "two".to_string())];
        assert_eq!(fill("@deco\nx = @A@, @B@\n@other\n@B@", &values), "@deco\nx = @B@, two\n@other\ntwo");
    }
}
