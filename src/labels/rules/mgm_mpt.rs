//! MGM's `preprocess_mpt`: the condition on later rounds is commented out there.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};

pub static RULE: RuleFacts = RuleFacts {
    name: "mgm_mpt",
    aliases: &[],
    summary: "MGM: as llava_mpt, but the one more of legacy tokenizers in the first round too",
    runs_for: never,
    counting: Counting::Grouped(GroupedRule { legacy_first: 1, ..GroupedRule::LLAVA }),
    code: TrainingCode { function: None, also: "" },
};
