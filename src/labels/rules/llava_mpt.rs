//! Newer LLaVA's `preprocess_mpt`: bos is taken off the instruction, later rounds of a legacy tokenizer get one more.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode};

pub static RULE: RuleFacts = RuleFacts {
    name: "llava_mpt",
    aliases: &[],
    summary: "newer LLaVA: one more in later rounds when the tokenizer is legacy",
    runs_for: |template| template.version == "llava_mpt",
    counting: Counting::Grouped(GroupedRule::LLAVA),
    code: TrainingCode { function: None, also: "" },
};
