//! A pytest that pins ids, labels and lengths of three conversations.

use super::python::{python_list, python_string};
use super::{TokenLines, tokenizer_lines};
use crate::chat::Sample;
use crate::diagnose::law::conversation;
use crate::diagnose::plan::Plan;
use crate::labels::IMAGE_TOKEN_INDEX;

/// The conversations that are pinned: text of one and of three rounds, an image with two.
fn pinned() -> [Sample; 3] {
    [conversation(1, false), conversation(3, false), conversation(2, true)]
}

/// The test file. Where it cannot load the tokenizer it says so and is skipped.
pub fn pytest(plan: &Plan, name: &str, tokens: &TokenLines) -> String {
    let mut cases = String::new();
    for sample in pinned() {
        let Ok(labelled) = plan.inspect(&sample).result else { continue };
        let turns: Vec<String> = sample
            .conversations
            .iter()
            .map(|t| {
                format!(
                    "            {{\"from\": {}, \"value\": {}}},\n",
                    python_string(&t.from),
                    python_string(&t.value)
                )
            })
            .collect();
        cases += &format!(
            "    dict(\n        has_image={},\n        length={},\n        turns=[\n{}        ],\n        input_ids={},\n        \
             labels={},\n    ),\n",
            if sample.has_image { "True" } else { "False" },
            labelled.input_ids.len(),
            turns.concat(),
            python_list(&labelled.input_ids),
            python_list(&labelled.labels),
        );
    }
    let set_up =
        tokenizer_lines(plan, tokens).lines().map(|line| format!("    {line}\n")).collect::<String>();
    let template = plan.setup.template.sep2.as_deref().unwrap_or("");
    TEST.replace("@SETUP@", &set_up)
        .replace("@CASES@", &cases)
        .replace("@MAX_LENGTH@", &plan.setup.options.model_max_length.to_string())
        .replace("@SEP2@", &python_string(template))
        .replace("@IMAGE_INDEX@", &IMAGE_TOKEN_INDEX.to_string())
        .replace("@NAME@", name)
}

const TEST: &str = r#""""Pins what preprocess_@NAME@ makes of three conversations (set TOKENIZER to the model's folder or name)."""
import os

import pytest

train = pytest.importorskip("moellava.train.train")
conversation_lib = pytest.importorskip("moellava.conversation")
IMAGE_ID = @IMAGE_INDEX@

CONVERSATIONS = [
@CASES@]


@pytest.fixture(scope="module")
def tokenizer():
    place = os.environ.get("TOKENIZER")
    if not place:
        pytest.skip("TOKENIZER is not set")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        place, model_max_length=@MAX_LENGTH@, padding_side="right", use_fast=False
    )
@SETUP@    return tokenizer


@pytest.mark.parametrize("case", CONVERSATIONS)
def test_labels(tokenizer, case, monkeypatch):
    template = conversation_lib.conv_templates["@NAME@"]
    assert template.sep2 == @SEP2@
    monkeypatch.setattr(conversation_lib, "default_conversation", template)
    result = train.preprocess_@NAME@([case["turns"]], tokenizer, has_image=case["has_image"])
    assert result["input_ids"][0].tolist() == case["input_ids"]
    assert result["labels"][0].tolist() == case["labels"]
    assert len(case["input_ids"]) == case["length"]
    assert case["input_ids"].count(IMAGE_ID) == int(case["has_image"])
"#;
