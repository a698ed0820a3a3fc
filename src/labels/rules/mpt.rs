//! The rule of MPT (ChatML-like) templates: MoE-LLaVA's function, which is Video-LLaVA's. It has no branch for text samples.

use super::grouped::GroupedRule;
use super::rule_facts::{Counting, RuleFacts, TrainingCode, version_begins};

pub static RULE: RuleFacts = RuleFacts {
    name: "mpt",
    aliases: &[],
    summary: "ChatML-like rounds, the closing separator counted by itself",
    runs_for: |template| template.version == "mpt" && version_begins(template, &["mpt"]),
    counting: Counting::Grouped(GroupedRule { adds_separator: true, as_images: true, ..GroupedRule::PLAIN }),
    code: TrainingCode { function: None, also: "" },
};
