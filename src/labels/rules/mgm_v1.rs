//! MGM's `preprocess_v1`: asks for `legacy` with a default, so that no class raises.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "mgm_v1",
    aliases: &[],
    summary: "MGM: as llava_v1, and a class without the attribute legacy counts as not legacy",
    runs_for: never,
    counting: Counting::Two(TwoRule { looks_at_legacy: true, missing_legacy_is_new: true, ..TwoRule::V1 }),
    code: TrainingCode { function: None, also: "" },
};
