//! Newer LLaVA's v1, which takes one off both lengths of later rounds for a tokenizer that is not legacy.

use super::rule_facts::{Counting, RuleFacts, TrainingCode, never};
use super::two::TwoRule;

pub static RULE: RuleFacts = RuleFacts {
    name: "llava_v1",
    aliases: &[],
    summary: "newer LLaVA: one less in later rounds when the tokenizer is not legacy",
    runs_for: never,
    counting: Counting::Two(TwoRule { looks_at_legacy: true, ..TwoRule::V1 }),
    code: TrainingCode {
        function: Some("preprocess_v1"),
        also: "# and in preprocess_v1, behind the lines of round_len and instruction_len\n\
               if i != 0 and not tokenizer.legacy:\n    round_len -= 1\n    instruction_len -= 1",
    },
};
