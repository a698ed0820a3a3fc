//! LLaVA-pp's `preprocess_phi3`: numbers tried out for Phi-3's vocabulary.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode};

pub static RULE: RuleFacts = RuleFacts {
    name: "llavapp_phi3",
    aliases: &[],
    summary: "LLaVA-pp: one more in the first round, two less in later ones, one more of those when legacy",
    runs_for: |template| template.version == "phi3",
    counting: Counting::Grouped(GroupedRule {
        instruction: -1,
        first: 1,
        later: -2,
        legacy_later: 1,
        ..GroupedRule::PLAIN
    }),
    code: TrainingCode { function: None, also: "" },
};
