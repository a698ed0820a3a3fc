//! `preprocess_v1`: for tokenizers that put bos first, as Llama's do.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, version_begins};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "v1",
    aliases: &[],
    summary: "Llama-like: the tokenizer puts bos first; each round counts its own bos for the eos",
    runs_for: |template| version_begins(template, &["v1"]),
    counting: Counting::Two(TwoRule::V1),
    code: TrainingCode { function: Some("preprocess_v1"), also: "" },
};
