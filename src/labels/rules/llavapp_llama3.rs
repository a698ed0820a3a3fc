//! LLaVA-pp's `preprocess_llama3`: each round ends with an id that is split off, and later rounds alone begin with a bos that the prompt has not.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode};

pub static RULE: RuleFacts = RuleFacts {
    name: "llavapp_llama3",
    aliases: &[],
    summary: "LLaVA-pp: one more a round for <|eot_id|>, a bos taken off later rounds",
    runs_for: |template| template.version == "llama3",
    counting: Counting::Grouped(GroupedRule { round: 1, later: -1, ..GroupedRule::PLAIN }),
    code: TrainingCode { function: None, also: "" },
};
