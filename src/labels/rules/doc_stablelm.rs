//! The customization guide's StableLM lines taken literally: `doc_qwen_phi`, plus the count of sep2 added to total_len.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "doc_stablelm",
    aliases: &[],
    summary: "the guide's StableLM lines taken literally: also adds the count of sep2",
    runs_for: never,
    counting: Counting::Two(TwoRule { image: TwoRule::PHI.image, adds_sep2_count: true, ..TwoRule::V1 }),
    code: TrainingCode { function: None, also: "" },
};
