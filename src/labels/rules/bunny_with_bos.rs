//! Bunny's `preprocess_bunny_with_bos`: v1's numbers, with a check that holds where pad is eos.

use super::rule_facts::{Counting, RuleFacts, TrainingCode};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "bunny_with_bos",
    aliases: &[],
    summary: "Bunny: as v1; where pad is eos the rounds are taken off cur_len before the check",
    runs_for: |template| matches!(template.version.as_str(), "bunny_minicpm" | "bunny_llama"),
    counting: Counting::Two(TwoRule { takes_rounds_off: true, ..TwoRule::V1 }),
    code: TrainingCode { function: None, also: "" },
};
