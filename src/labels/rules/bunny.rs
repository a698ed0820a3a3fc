//! Bunny's `preprocess_bunny`: phi's numbers, with a check that holds where pad is eos.

use super::rule_facts::{Counting, RuleFacts, TrainingCode};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "bunny",
    aliases: &[],
    summary: "Bunny: as phi; where pad is eos the rounds are taken off cur_len before the check",
    runs_for: |template| template.version == "bunny",
    counting: Counting::Two(TwoRule { takes_rounds_off: true, ..TwoRule::PHI }),
    code: TrainingCode { function: None, also: "" },
};
