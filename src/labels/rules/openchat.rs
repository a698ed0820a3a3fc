//! `preprocess_openchat`: the numbers of v1 under another name.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, version_begins};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "openchat",
    aliases: &[],
    summary: "the same arithmetic as v1 (openchat, mistral, minicpm)",
    runs_for: |template| version_begins(template, &["openchat", "mistral", "minicpm"]),
    counting: Counting::Two(TwoRule::V1),
    code: TrainingCode { function: Some("preprocess_openchat"), also: "" },
};
