//! The customization guide taken literally: v1 with the two lines of the image branch changed.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "doc_qwen_phi",
    aliases: &[],
    summary: "the customization guide taken literally: cur_len still starts at 1",
    runs_for: never,
    counting: Counting::Two(TwoRule { image: TwoRule::PHI.image, ..TwoRule::V1 }),
    code: TrainingCode { function: None, also: "" },
};
