//! LLaVA-NeXT's `preprocess_mpt`: LLaVA's, with the first position left to a bos.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};

pub static RULE: RuleFacts = RuleFacts {
    name: "llava_next_mpt",
    aliases: &[],
    summary: "LLaVA-NeXT: as llava_mpt, but cur_len begins at 1: right only behind a bos",
    runs_for: never,
    counting: Counting::Grouped(GroupedRule { start: 1, ..GroupedRule::LLAVA }),
    code: TrainingCode { function: None, also: "" },
};
